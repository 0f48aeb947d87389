/** Composition of what people are told, and of what is learnt from their votes. What is not configured is not loaded. */
import type { Logger } from 'pino';
import { fileOf, readSecret } from './app-backends.ts';
import { createKeeper } from './approve/kept.ts';
import type { Config } from './config.ts';
import { ConfigError } from './errors.ts';
import type { Secret } from './keys/secret.ts';
import { createFatigue, type Fatigue } from './operate/fatigue.ts';
import type { Notifier } from './operate/notifier.ts';
import { createNotify, type Notify, type NotifyRooms, type Told } from './operate/notify.ts';

type Environment = Readonly<Record<string, string | undefined>>;
type Rooms = Pick<NotifyRooms, 'store' | 'world' | 'record' | 'bundles' | 'onFault'> & {
  readonly secret: Secret;
  readonly notifiers: readonly Notifier[];
  readonly log: Logger;
  readonly notified: (told: Told) => void;
};

export interface Telling extends Pick<Notify, 'read' | 'states'> {
  readonly fatigue: Fatigue;
  /** From now on; called before the first request. Throws what the store throws. */
  begin(): Promise<void>;
}
/** Before anything is written: a secret that is not there, or none. Throws ConfigError. */
export async function openNotifiers({ notify }: Pick<Config, 'notify'>, environment: Environment): Promise<readonly Notifier[]> {
  const all: Notifier[] = [];
  for (const [index, one] of notify.entries()) all.push(await openNotifier(one, `notify.${index}`, environment));
  return all;
}
/** `held`: what is given back at the end. */
export function openNotify(
  config: Pick<Config, 'issuer' | 'console'>,
  { log, notified, ...rooms }: Rooms,
  held: (() => void | Promise<void>)[],
): Telling {
  const onTold = (told: Told): void => {
    notified(told);
    if (told.flaw === 'gone') log.warn({ ...told }, 'a receiver wants no notifications any more');
    else if (told.outcome !== 'sent') log.warn({ ...told }, 'notification not delivered');
  };
  const keeper = createKeeper(rooms.secret);
  const console = config.console && `${config.issuer}/console`;
  const notify = createNotify({ ...rooms, keeper, console, onTold });
  const fatigue = createFatigue({ ...rooms, keeper });
  held.push(() => Promise.all([notify.close(), fatigue.close()]).then(() => undefined));
  return {
    fatigue,
    states: notify.states,
    read(entry, took) {
      notify.read(entry, took);
      fatigue.read(entry, took);
    },
    async begin() {
      await notify.begin();
      fatigue.begin();
    },
  };
}
async function openNotifier(one: Config['notify'][number], of: string, environment: Environment): Promise<Notifier> {
  switch (one.use) {
    case 'webhook': {
      const { webhookNotifier, isWebhookSecret } = await import('./operate/notifier-webhook.ts');
      const secret = readSecret(one.secret, of, environment);
      if (!isWebhookSecret(secret)) throw new ConfigError([`${of}.secret: must be whsec_ and 24 to 64 bytes in base64`]);
      return webhookNotifier({ ...one, name: one.id ?? one.use, secret, inward: one.inward === 'allowed' });
    }
    case 'mail': {
      const { mailNotifier } = await import('./operate/notifier-mail.ts');
      const password = one.password && readSecret(one.password, of, environment);
      const ca = one.ca === undefined ? undefined : fileOf(one.ca, of);
      return mailNotifier({ ...one, name: one.id ?? one.use, password, ca });
    }
    default:
      return one satisfies never;
  }
}

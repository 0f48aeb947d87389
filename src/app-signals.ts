import type { Config } from './config.ts';
import type { World } from './model.ts';
import type { Recorder } from './record/record.ts';
import { createSignals, type Signals } from './settle-signals.ts';
import { remoteKeys } from './wire/jwks-remote.ts';

/** Nobody hears signals where none are configured: there is no such endpoint then. */
export function openSignals(
  { signals, issuers }: Pick<Config, 'signals' | 'issuers'>,
  { record, world }: { readonly record: Recorder; readonly world: World },
): { readonly signals?: Signals } {
  if (signals.length === 0) return {};
  const sources = signals.flatMap(({ issuer, jwksUri, audience, for: id }) => {
    const of = issuers.find((one) => one.id === id);
    return of ? [{ issuer, audience, keys: remoteKeys({ url: jwksUri, now: world.now }), of }] : [];
  });
  return { signals: createSignals({ sources, record }) };
}

/** Composition of the key rings: each has a signer, and people who rotate it. */
import { algorithms } from './app-backends.ts';
import type { Config } from './config.ts';
import { ConfigError } from './errors.ts';
import type { Secret } from './keys/secret.ts';
import { type LocalSigner, localSigner } from './keys/signer-local.ts';
import type { World } from './model.ts';
import { createKeys, type Keys, type RingName } from './operate/keys.ts';
import type { Recorder } from './record/record.ts';
import type { Store } from './store/store.ts';

const SKEW_SECONDS = 10;

export interface Ring {
  readonly signer: LocalSigner;
  readonly keys: Keys;
}
/** Errors: ConfigError where no key can be made. `held`: what is given back at the end. */
export function ringOpener(
  parts: { readonly config: Config; readonly secret: Secret; readonly store: Store; readonly record: Recorder; readonly world: World },
  held: (() => void | Promise<void>)[],
): (ring: RingName, maxTokenSeconds: number) => Promise<Ring> {
  const { config, secret, store, record, world } = parts;
  return async (ring, maxTokenSeconds) => {
    const timing = { maxAgeSeconds: config.keys.maxAgeSeconds, maxTokenSeconds, skewSeconds: SKEW_SECONDS };
    const signer = await localSigner({ ring, store, secret, algs: algorithms(config), timing, world });
    held.push(() => signer.close());
    const keys = createKeys({ ring, keeper: signer, record, world });
    const begun = await keys.begin();
    if (!begun.ok) throw new ConfigError(['keys: the first signing keys could not be made; another broker may be starting on this store']);
    return { signer, keys };
  };
}

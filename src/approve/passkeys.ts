/** Passkeys: what proves that it was this person who agreed. How one is checked is the port's back end; that it is one of theirs stands here. */
import type { Reason } from '../errors.ts';
import type { Secret } from '../keys/secret.ts';
import type { Claim, EpochSeconds } from '../model.ts';
import type { Found } from '../store/store.ts';
import { canonical, isSameText, sha256 } from '../wire/digest.ts';
import { isObject, type JsonObject } from '../wire/json.ts';
import type { Result } from '../wire/result.ts';

/** One of a person's, as registered; the rest of WebAuthn's vocabulary is the back end's. Bytes are base64url. */
export interface Passkey {
  readonly credential: string;
  /** COSE. */
  readonly publicKey: string;
  /** As of its latest use; 0 for one that does not count. */
  readonly counter: number;
  /** `<issuer id>:<sub>`. */
  readonly person: string;
  /** What its person calls it. */
  readonly label: string;
  readonly transports: readonly string[];
  readonly made: EpochSeconds;
  readonly used?: EpochSeconds;
  /** It proves nothing any more, and is never registered again. */
  readonly removed?: EpochSeconds;
}
/** What an authenticator signed: bytes are base64url. */
export interface Assertion {
  readonly credential: string;
  readonly authenticatorData: string;
  readonly clientDataJSON: string;
  readonly signature: string;
}
export type AssertionFlaw =
  | 'proof_malformed'
  | 'proof_challenge'
  | 'proof_origin'
  | 'proof_unverified'
  | 'proof_counter'
  | 'proof_signature';
export interface Registered extends Pick<Passkey, 'credential' | 'publicKey' | 'counter' | 'transports'> {}

/** The port. Stateless: nothing it says is remembered there. */
export interface Authenticators {
  /** What passkeys of this broker are bound to. */
  readonly origin: string;
  /** Browsers know passkeys of host names alone, never of addresses. */
  readonly usable: boolean;
  /** Options for `navigator.credentials.create`; `known` are not made twice. `challenge` is base64url. */
  offer(person: string, known: readonly Passkey[], challenge: string): Promise<object>;
  /** A new one, whose person was verified by it. */
  admit(response: JsonObject, challenge: string): Promise<Result<Registered, AssertionFlaw>>;
  /** Options for `navigator.credentials.get`. */
  ask(allowed: readonly Passkey[], challenge: string): Promise<object>;
  /** Is this assertion this passkey's, over this challenge, made here, by a person that it verified, later than the one before? */
  check(
    assertion: Assertion,
    passkey: Pick<Passkey, 'credential' | 'publicKey' | 'counter'>,
    challenge: string,
  ): Promise<Result<number, AssertionFlaw>>;
}

export interface KeptPasskey {
  /** 0: not yet. */
  readonly version: number;
  readonly passkey: Passkey;
}
/** How many a person has, so that of two acts at once one counts, and one whose record was taken away is missed. */
export interface Holding {
  /** 0: never any. */
  readonly version: number;
  readonly count: number;
}
/** How one stands in the store: a versioned key under a MAC, which an older state of it does not fit. */
export interface PasskeyKeeper {
  /** Undefined where there is none, or what stands there is no broker's. */
  read(found: Found | undefined): KeptPasskey | undefined;
  write(kept: KeptPasskey, next: Passkey, otherwise: Reason): Claim;
  /** Undefined where what stands there is no broker's. */
  holding(person: string, found: Found | undefined): Holding | undefined;
  hold(person: string, before: Pick<Holding, 'version'>, count: number, otherwise: Reason): Claim;
}
/** By its digest: an id has up to a kilobyte. */
export const passkeyKey = (credential: string): string => `passkey/${sha256(credential)}`;
export const holdingKey = (person: string): string => `passkeys/${sha256(person)}`;
export const termOfPerson = (person: string): string => `passkey-of/${sha256(person)}`;

export function createPasskeyKeeper(secret: Pick<Secret, 'mac'>): PasskeyKeeper {
  const macOf = (version: number, passkey: JsonObject): string => secret.mac('passkey', canonical({ version, passkey }));
  const countMac = (version: number, holder: string, count: number): string => secret.mac('passkey', canonical({ version, holder, count }));
  return {
    read(found) {
      if (!found || !isObject(found.value)) return undefined;
      const { passkey, mac } = found.value;
      if (!isObject(passkey) || typeof mac !== 'string' || !isSameText(mac, macOf(found.version, passkey))) return undefined;
      return { version: found.version, passkey: passkey as unknown as Passkey };
    },
    write({ version }, next, otherwise) {
      const passkey = JSON.parse(JSON.stringify(next)) as JsonObject;
      const terms = next.removed === undefined ? [termOfPerson(next.person)] : [];
      const value = { passkey, mac: macOf(version + 1, passkey) };
      return { key: passkeyKey(next.credential), version, value, terms, else: otherwise };
    },
    holding(person, found) {
      if (!found) return { version: 0, count: 0 };
      const { count, mac } = isObject(found.value) ? found.value : {};
      if (typeof count !== 'number' || typeof mac !== 'string' || !isSameText(mac, countMac(found.version, person, count)))
        return undefined;
      return { version: found.version, count };
    },
    hold: (person, { version }, count, otherwise) => ({
      key: holdingKey(person),
      version,
      value: { count, mac: countMac(version + 1, person, count) },
      else: otherwise,
    }),
  };
}

/** The browser's AuthenticationResponseJSON. Undefined where it is none: what else a browser says in it is not read. */
export function assertionOf(value: unknown): Assertion | undefined {
  if (!isObject(value) || !isObject(value['response'])) return undefined;
  const { id: credential, rawId } = value;
  const { authenticatorData, clientDataJSON, signature } = value['response'] as JsonObject;
  const all = [credential, authenticatorData, clientDataJSON, signature];
  if (!all.every((text) => typeof text === 'string' && text.length <= 8_192 && /^[A-Za-z0-9_-]+$/.test(text))) return undefined;
  if (rawId !== credential) return undefined;
  return { credential, authenticatorData, clientDataJSON, signature } as unknown as Assertion;
}
/** For the entry: all that checking it again needs, but for what was signed, which the entry says in its own words. */
export const toldOf = (
  { credential, authenticatorData, clientDataJSON, signature }: Assertion,
  { publicKey }: Pick<Passkey, 'publicKey'>,
): JsonObject => ({
  credential,
  public_key: publicKey,
  authenticator_data: authenticatorData,
  client_data: clientDataJSON,
  signature,
});

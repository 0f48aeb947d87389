/** WebAuthn (Level 3) by @simplewebauthn/server, loaded when the first passkey is met. What is looked at before it is looked at to name the flaw. */
import { isIP } from 'node:net';
import { sha256 } from '../wire/digest.ts';
import { isObject, parseJson } from '../wire/json.ts';
import { no, ok, type Result } from '../wire/result.ts';
import type { Assertion, AssertionFlaw, Authenticators, Passkey } from './passkeys.ts';

const load = () => import('@simplewebauthn/server');
/** ES256, EdDSA, RS256: what authenticators have, and Node verifies. */
const ALGORITHMS = [-7, -8, -257];
const TIMEOUT_MS = 5 * 60_000;
const RP_NAME = 'Countersign';
/** Authenticator data (§6.1): 32 bytes of the RP ID's hash, one of flags, four of the counter. */
const FLAGS_AT = 32;
const COUNTER_AT = 33;
const LEAST_BYTES = 37;
const FLAG = { present: 0x01, verified: 0x04 } as const;
const MAX_CLIENT_DATA_BYTES = 4_096;

/** `issuer`: the broker's; its origin and host are what passkeys are bound to. */
export function webauthn(issuer: string): Authenticators {
  const { origin, hostname } = new URL(issuer);
  const rpID = hostname;
  return {
    origin,
    usable: isIP(hostname.replace(/^\[|\]$/g, '')) === 0,
    async offer(person, known, challenge) {
      const { generateRegistrationOptions } = await load();
      return generateRegistrationOptions({
        rpName: RP_NAME,
        rpID,
        userName: person,
        userDisplayName: person,
        userID: bytes(sha256(person)),
        challenge: bytes(challenge),
        timeout: TIMEOUT_MS,
        attestationType: 'none',
        excludeCredentials: known.map(descriptor),
        authenticatorSelection: { residentKey: 'preferred', userVerification: 'required' },
        supportedAlgorithmIDs: ALGORITHMS,
      });
    },
    async admit(response, challenge) {
      const { verifyRegistrationResponse } = await load();
      const { id, rawId, type, response: inner } = response;
      const whole = isText(id) && isText(rawId) && type === 'public-key' && isObject(inner);
      if (!whole || !isText(inner['clientDataJSON']) || !isText(inner['attestationObject'], 16_384)) return no('proof_malformed');
      const flaw = clientFlaw(inner['clientDataJSON'], 'webauthn.create', challenge, origin);
      if (flaw) return no(flaw);
      const { attestationObject, clientDataJSON } = inner;
      try {
        const { verified, registrationInfo } = await verifyRegistrationResponse({
          response: { id, rawId, type: 'public-key', clientExtensionResults: {}, response: { attestationObject, clientDataJSON } },
          expectedChallenge: challenge,
          expectedOrigin: origin,
          expectedRPID: rpID,
          requireUserVerification: true,
          supportedAlgorithmIDs: ALGORITHMS,
        });
        if (!verified) return no('proof_signature');
        const { id: credential, publicKey, counter } = registrationInfo.credential;
        const said = inner['transports'];
        const transports = Array.isArray(said) ? said.filter((one): one is string => isText(one, 32)).slice(0, 8) : [];
        return ok({ credential, publicKey: Buffer.from(publicKey).toString('base64url'), counter, transports });
      } catch (fault) {
        return no(/verif/i.test(fault instanceof Error ? fault.message : '') ? 'proof_unverified' : 'proof_malformed');
      }
    },
    async ask(allowed, challenge) {
      const { generateAuthenticationOptions } = await load();
      return generateAuthenticationOptions({
        rpID,
        challenge: bytes(challenge),
        allowCredentials: allowed.map(descriptor),
        userVerification: 'required',
        timeout: TIMEOUT_MS,
      });
    },
    check: (assertion, passkey, challenge) => checkAssertion(assertion, passkey, { challenge, origin, rpID }),
  };
}

/** Pure: what verify-ledger does offline is this same check. */
export async function checkAssertion(
  assertion: Assertion,
  passkey: Pick<Passkey, 'credential' | 'publicKey' | 'counter'>,
  expected: { readonly challenge: string; readonly origin: string; readonly rpID: string },
): Promise<Result<number, AssertionFlaw>> {
  const { credential: id, authenticatorData, clientDataJSON, signature } = assertion;
  const { challenge, origin, rpID } = expected;
  const flaw = clientFlaw(clientDataJSON, 'webauthn.get', challenge, origin);
  if (flaw) return no(flaw);
  const data = bytes(authenticatorData);
  if (data.length < LEAST_BYTES || id !== passkey.credential) return no('proof_malformed');
  const flags = data[FLAGS_AT] ?? 0;
  if (!(flags & FLAG.present) || !(flags & FLAG.verified)) return no('proof_unverified');
  const counter = Buffer.from(data).readUInt32BE(COUNTER_AT);
  if ((counter > 0 || passkey.counter > 0) && counter <= passkey.counter) return no('proof_counter');
  try {
    const { verifyAuthenticationResponse } = await load();
    const { verified, authenticationInfo } = await verifyAuthenticationResponse({
      response: {
        id,
        rawId: id,
        type: 'public-key',
        clientExtensionResults: {},
        response: { authenticatorData, clientDataJSON, signature },
      },
      expectedChallenge: challenge,
      expectedOrigin: origin,
      expectedRPID: rpID,
      requireUserVerification: true,
      credential: { id, publicKey: bytes(passkey.publicKey), counter: passkey.counter },
    });
    return verified ? ok(authenticationInfo.newCounter) : no('proof_signature');
  } catch {
    return no('proof_signature');
  }
}

/** §7.2, steps 10 to 14: made for this, here, over this challenge, and in no frame of another site's. */
function clientFlaw(clientDataJSON: string, type: string, challenge: string, origin: string): AssertionFlaw | undefined {
  const parsed = parseJson(Buffer.from(clientDataJSON, 'base64url').toString('utf8'), MAX_CLIENT_DATA_BYTES);
  if (!parsed.ok || !isObject(parsed.value) || parsed.value['type'] !== type) return 'proof_malformed';
  const client = parsed.value;
  if (client['origin'] !== origin || client['crossOrigin'] === true || client['topOrigin'] !== undefined) return 'proof_origin';
  return client['challenge'] === challenge ? undefined : 'proof_challenge';
}
const isText = (value: unknown, most = 4_096): value is string => typeof value === 'string' && value.length > 0 && value.length <= most;
const bytes = (text: string): Uint8Array<ArrayBuffer> => new Uint8Array(Buffer.from(text, 'base64url'));
const descriptor = ({ credential, transports }: Passkey): { readonly id: string; readonly transports: string[] } => ({
  id: credential,
  transports: [...transports],
});

/** Signing with a passkey, and registering one: what the browser does, by the library made for it. */
import { canonical, type JsonObject } from '../../wire/canonical.ts';
import { actOf } from '../../wire/signed.ts';
import { api } from './api.ts';

/** It came to no signature; the message is for whoever tried. */
export class NotSigned extends Error {}
const library = () => import('@simplewebauthn/browser');
type Options<K extends 'startAuthentication' | 'startRegistration'> = Parameters<Awaited<ReturnType<typeof library>>[K]>[0]['optionsJSON'];

/** What is to be signed, as the broker says it: of an approval with the `salt` of its arguments, of a passkey that comes or goes with its offer. */
export interface Asked {
  readonly options: Options<'startAuthentication'>;
  readonly signed: { readonly offer?: string; readonly expires?: number };
  readonly salt?: string;
}
/**
 * What the passkey says to the challenge that this path makes, if it is what this page would have signed: `here` makes that from what the page
 * shows, so that nothing else than what its person looks at is signed. Throws NotSigned, and what the broker refuses.
 */
export async function sign(path: string, body: object, here: (asked: Asked) => JsonObject | Promise<JsonObject>): Promise<object> {
  const asked = await api.post<Asked>(path, body);
  const { options } = asked;
  const challenge = await sha256(canonical(await here(asked)));
  if (options.challenge !== challenge)
    throw new NotSigned('What the broker wants signed is not what this page shows. Nothing was signed. Tell whoever runs this broker.');
  const { startAuthentication } = await library();
  return said(startAuthentication({ optionsJSON: options }));
}
/** As base64url. */
export async function sha256(text: string): Promise<string> {
  const bytes = new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text)));
  return btoa(String.fromCharCode(...bytes))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replaceAll('=', '');
}
/** A new one, on its device; the broker knows nothing of it yet. */
export interface Made {
  readonly label: string;
  readonly offer: string;
  readonly response: { readonly id: string };
  /** One that its person has must sign for it. */
  readonly proof?: 'passkey';
}
/** Throws NotSigned, and what the broker refuses. */
export async function create(label: string): Promise<Made> {
  const { options, proof } = await api.post<{ readonly options: Options<'startRegistration'>; readonly proof?: 'passkey' }>(
    '/operator/passkeys/options',
  );
  const { startRegistration } = await library();
  const response = await said(startRegistration({ optionsJSON: options }));
  return { label, offer: options.challenge, response, ...(proof && { proof }) };
}
const CHALLENGE = '/operator/passkeys/challenge';
/** Throws NotSigned, and what the broker refuses. */
export async function register({ label, offer, response, proof }: Made, person: string): Promise<void> {
  const act = { act: 'register', credential: response.id, label, offer } as const;
  const assertion = proof && (await sign(CHALLENGE, act, ({ signed }) => actOf({ ...act, person, expires: signed.expires ?? 0 })));
  await api.post('/operator/passkeys', { label, response, ...(assertion && { assertion }) });
}
/** As above. */
export async function remove(
  key: { readonly id: string; readonly credential: string; readonly label: string },
  person: string,
): Promise<void> {
  const { id, credential, label } = key;
  let offer = '';
  const assertion = await sign(CHALLENGE, { act: 'remove', id }, ({ signed }) => {
    offer = signed.offer ?? '';
    return actOf({ act: 'remove', person, credential, label, offer, expires: signed.expires ?? 0 });
  });
  await api.post(`/operator/passkeys/${id}/remove`, { offer, assertion });
}
async function said<T>(asked: Promise<T>): Promise<T> {
  try {
    return await asked;
  } catch (fault) {
    const name = fault instanceof Error ? fault.name : '';
    if (name === 'InvalidStateError') throw new NotSigned('This device has a passkey of yours here already.');
    if (name === 'SecurityError') throw new NotSigned('Passkeys work where the console is opened by its name, and over https.');
    throw new NotSigned('The passkey was not used: it was cancelled, it is not on this device, or its time was over. Nothing was sent.');
  }
}

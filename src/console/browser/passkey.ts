/** Signing with a passkey, and registering one: what the browser does, by the library made for it. */
import { canonical, type JsonObject } from '../../wire/canonical.ts';
import { api } from './api.ts';

/** It came to no signature; the message is for whoever tried. */
export class NotSigned extends Error {}
const library = () => import('@simplewebauthn/browser');
type Options<K extends 'startAuthentication' | 'startRegistration'> = Parameters<Awaited<ReturnType<typeof library>>[K]>[0]['optionsJSON'];

/** What is to be signed as the broker says it; `salt`: of an approval's arguments. */
interface Asked {
  readonly options: Options<'startAuthentication'>;
  readonly salt?: string;
}
/**
 * What the passkey says to the challenge that this path makes, if it is what this page would have signed: `here` makes that from what the page
 * shows, so that nothing else than what its person looks at is signed. Throws NotSigned, and what the broker refuses.
 */
export async function sign(path: string, body: object, here: (salt: string) => Promise<JsonObject>): Promise<object> {
  const { options, salt = '' } = await api.post<Asked>(path, body);
  const challenge = await sha256(canonical(await here(salt)));
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
/** One more passkey of whoever has logged in. Throws NotSigned, and what the broker refuses. */
export async function register(label: string): Promise<void> {
  const { options } = await api.post<{ readonly options: Options<'startRegistration'> }>('/operator/passkeys/options');
  const { startRegistration } = await library();
  const response = await said(startRegistration({ optionsJSON: options }));
  await api.post('/operator/passkeys', { label, response });
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

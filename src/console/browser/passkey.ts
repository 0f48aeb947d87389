/** Signing with a passkey, and registering one: what the browser does, by the library made for it. */
import { api } from './api.ts';

/** It came to no signature; the message is for whoever tried. */
export class NotSigned extends Error {}
const library = () => import('@simplewebauthn/browser');
type Options<K extends 'startAuthentication' | 'startRegistration'> = Parameters<Awaited<ReturnType<typeof library>>[K]>[0]['optionsJSON'];

/** What the passkey says to the challenge that this path makes. Throws NotSigned, and what the broker refuses. */
export async function sign(path: string, body: object): Promise<object> {
  const { options } = await api.post<{ readonly options: Options<'startAuthentication'> }>(path, body);
  const { startAuthentication } = await library();
  return said(startAuthentication({ optionsJSON: options }));
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

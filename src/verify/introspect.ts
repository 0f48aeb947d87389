/** Asks the broker whether a token still stands (RFC 7662): sees a revocation at once, at the price of a round trip per action. */
import { isObject, parseJson } from '../wire/json.ts';
import { asClient, type ClientOptions } from './assertion.ts';
import { FORM, outgoing } from './outgoing.ts';

export interface IntrospectOptions extends ClientOptions {
  readonly fetch?: typeof fetch;
}
/** Throws when the broker does not say. */
export type Introspect = (token: string, jti: string) => Promise<boolean>;

export function introspector(issuer: string, options: IntrospectOptions, now: () => number): Introspect {
  const post = outgoing({ url: `${issuer.replace(/\/$/, '')}/introspect`, ...(options.fetch && { fetch: options.fetch }) });
  return async (token, jti) => {
    const form = new URLSearchParams({ token, ...(await asClient(issuer, options, now())) });
    const { status, text } = await post(form.toString(), FORM);
    const parsed = parseJson(text);
    if (status !== 200 || !parsed.ok || !isObject(parsed.value)) throw new Error('introspection was not answered');
    const { active } = parsed.value;
    if (typeof active !== 'boolean') throw new Error('introspection was not answered');
    // Another token's answer is no answer.
    if (active && parsed.value['jti'] !== undefined && parsed.value['jti'] !== jti) throw new Error('introspection was not answered');
    return active;
  };
}

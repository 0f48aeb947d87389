/** How this broker logs in at a back end: with a token of an issuer of its own, made for one action, so that nothing stands (wire.md §6). */
import type { Signer } from '../keys/signer.ts';
import type { EpochSeconds } from '../model.ts';
import type { JsonObject } from '../wire/json.ts';
import type { Alg } from '../wire/jws.ts';

/** Longest life of a login. */
export const LOGIN_LIFE_SECONDS = 60;
/** The issuer of logins: its tokens open no tool, and an action token opens no back end. */
export const loginIssuer = (issuer: string): string => `${issuer}/backends`;

export interface Login {
  readonly audience: string;
  /** Stable for a tool: back ends keep an account for each. */
  readonly subject: string;
  /** One of a kind. */
  readonly id: string;
  readonly now: EpochSeconds;
  readonly alg?: Alg;
  readonly claims?: JsonObject;
}
/** Signs one. Throws Unavailable('key'). */
export type SignLogin = (login: Login) => Promise<string>;

export function loginSigner(options: { readonly issuer: string; readonly signer: Signer }): SignLogin {
  const { issuer, signer } = options;
  return ({ audience, subject, id, now, alg, claims }) =>
    signer.sign(
      { typ: 'JWT', ...(alg && { alg }) },
      { ...claims, iss: loginIssuer(issuer), sub: subject, aud: audience, iat: now, nbf: now, exp: now + LOGIN_LIFE_SECONDS, jti: id },
    );
}

/** Each JWT that this house knows, in another one's place: none is ever taken for another (RFC 8725 §3.12). */
import { randomUUID } from 'node:crypto';
import { jwt } from '../support/keys.ts';
import { ACCESS_TOKEN, type Asking, ID_TOKEN, JWT_TYPE, proofFor, RESOURCE, type Rig } from '../support/rig.ts';
import type { Case } from './oracle.ts';
import { goodToken, LOOK, REFUSED } from './tokens.ts';

const ID_JAG = 'urn:ietf:params:oauth:token-type:id-jag';
type Made = (rig: Rig) => Promise<string>;
const granted = async (rig: Rig, asking: Asking): Promise<string> => String((await rig.ask(asking)).body['access_token']);

const OTHERS: Readonly<Record<string, Made>> = {
  'a client assertion': (rig) => goodToken(rig, 'assertion'),
  'an id token': (rig) => goodToken(rig, 'subject'),
  'an actor token': (rig) => goodToken(rig, 'actor'),
  'a proof': (rig) => goodToken(rig, 'proof'),
  'a proof for a tool server': (rig) => proofFor(rig.proofKey, { htm: 'POST', htu: RESOURCE, token: 'x' }, rig.now()),
  'a proof for a call in _meta': (rig) => proofFor(rig.proofKey, { htm: 'tools/call', htu: RESOURCE, token: 'x' }, rig.now()),
  'an action token': (rig) => granted(rig, {}),
  'a base token': (rig) => granted(rig, { details: null, form: { scope: 'tool:list' } }),
  'an access token of the issuer': async (rig) => {
    const at = rig.now();
    const claims = { iss: rig.idp.issuer, sub: 'u_bob', aud: rig.issuer, client_id: 'refund-bot-app', iat: at, exp: at + 60 };
    return jwt(rig.idp.key, { alg: 'ES256', typ: 'at+jwt', kid: rig.idp.key.kid }, claims);
  },
  'a logout token': async (rig) => {
    const events = { 'http://schemas.openid.net/event/backchannel-logout': {} };
    const claims = {
      iss: rig.idp.issuer,
      sub: 'u_bob',
      aud: 'refund-bot-app',
      iat: rig.now(),
      exp: rig.now() + 60,
      jti: randomUUID(),
      events,
    };
    return jwt(rig.idp.key, { alg: 'ES256', typ: 'logout+jwt', kid: rig.idp.key.kid }, claims);
  },
  'a receipt': async (rig) => {
    const claims = {
      iss: 'shop',
      sub: 'shop',
      aud: rig.issuer,
      iat: rig.now(),
      exp: rig.now() + 60,
      jti: randomUUID(),
      txn: 'txn_x',
      outcome: 'done',
    };
    return jwt(rig.server, { alg: 'ES256', typ: 'countersign-receipt+jwt' }, claims);
  },
  'a login to a back end': async (rig) => {
    const claims = {
      iss: `${rig.issuer}/backends`,
      sub: 'refund-bot',
      aud: rig.issuer,
      iat: rig.now(),
      exp: rig.now() + 60,
      jti: randomUUID(),
    };
    return jwt(rig.agent, { alg: 'ES256', typ: 'JWT' }, claims);
  },
};
type Row = readonly [other: keyof typeof OTHERS, detail: string | undefined, change?: Partial<Case>];

const place = (
  where: string,
  rows: readonly Row[],
  show: (token: string) => Asking,
  refused: Omit<Case, 'name' | 'asking'>,
): readonly Case[] =>
  rows.map(([other, detail, change]) => ({
    name: `${other} as ${where}`,
    asking: async (rig) => show(await (OTHERS[other] as Made)(rig)),
    ...refused,
    ...(detail !== undefined && { detail }),
    ...change,
  }));
const unknown = { reason: 'client_unknown' } as const;
const asSubject = (type: string, rows: readonly Row[]): readonly Case[] =>
  place(
    `subject token of type ${type.split(':').at(-1)}`,
    rows,
    (token) => ({ subject: { token }, form: { subject_token_type: type } }),
    REFUSED.subject,
  );

const NOBODYS: readonly Row[] = [
  ['a client assertion', 'token_issuer'],
  ['an actor token', 'token_issuer'],
  ['a proof', 'token_form'],
  ['a receipt', 'token_issuer'],
  ['an action token', 'subject_is_ours'],
  ['a base token', 'subject_is_ours'],
  ['a login to a back end', 'subject_is_ours'],
];
export const confusionCases: readonly Case[] = [
  ...place(
    'client assertion',
    [
      ['an actor token', 'assertion_is_actor'],
      ['an id token', 'issuer_vouches'],
      ['an access token of the issuer', 'issuer_vouches'],
      ['a logout token', 'issuer_vouches'],
      ['a proof', 'token_issuer'],
      ['a receipt', 'token_typ'],
      ['an action token', undefined, unknown],
      ['a base token', undefined, unknown],
      ['a login to a back end', undefined, unknown],
    ],
    (token) => ({ assertion: { token } }),
    REFUSED.assertion,
  ),
  ...asSubject(ID_TOKEN, [...NOBODYS, ['an access token of the issuer', 'token_typ'], ['a logout token', 'token_typ']]),
  ...asSubject(ACCESS_TOKEN, [...NOBODYS, ['an id token', 'token_typ'], ['a logout token', 'token_typ']]),
  ...asSubject(ID_JAG, [
    ...NOBODYS,
    ['an id token', 'token_typ'],
    ['an access token of the issuer', 'token_typ'],
    ['a logout token', 'token_typ'],
  ]),
  ...asSubject(JWT_TYPE, [
    ...NOBODYS,
    ['an id token', 'token_audience'],
    ['an access token of the issuer', 'token_typ'],
    ['a logout token', 'token_typ'],
  ]),
  ...place(
    'actor token',
    [
      ['a client assertion', 'token_typ'],
      ['an id token', 'actor_unknown'],
      ['an access token of the issuer', 'actor_unknown'],
      ['a proof', 'token_form'],
      ['a receipt', 'actor_unknown'],
      ['an action token', 'actor_unknown'],
      ['a base token', 'actor_unknown'],
      ['a login to a back end', 'actor_unknown'],
    ],
    (token) => ({ ...LOOK, actor: { token } }),
    REFUSED.actor,
  ),
  ...place(
    'proof',
    [
      ['a client assertion', 'proof_form'],
      ['an id token', 'proof_form'],
      ['an actor token', 'proof_form'],
      ['a receipt', 'proof_form'],
      ['an action token', 'proof_form'],
      ['a base token', 'proof_form'],
      ['a proof for a tool server', 'proof_htu'],
      ['a proof for a call in _meta', 'proof_htm'],
    ],
    (token) => ({ proof: { token } }),
    REFUSED.proof,
  ),
  ...(['Bearer', 'DPoP', 'Token'] as const).map(
    (scheme): Case => ({
      name: `an action token in the Authorization header, as ${scheme}`,
      asking: async (rig) => ({ headers: { authorization: `${scheme} ${await granted(rig, {})}` } }),
      ...REFUSED.assertion,
      detail: 'client_secret',
    }),
  ),
];

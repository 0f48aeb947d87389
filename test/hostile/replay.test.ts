/** What may be used once is used once, by whom it was made for: however it is written, however many ask, whatever else is wrong. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { writeManifest } from '../../scripts/policies.ts';
import { newKey } from '../support/keys.ts';
import { type Answer, type Asking, answerOf, type Rig } from '../support/rig.ts';
import { exchangesAfter, type Ground, keptQuiet, openGround, settled } from './oracle.ts';
import { goodToken, type Kind, LOOK, REFUSED, showing } from './tokens.ts';

let ground: Ground;
let rig: Rig;
before(async () => {
  ground = await openGround();
  rig = ground.rig;
});
after(() => ground.stop());

const N = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
/** The same signature with s' = n - s: it verifies too, and everybody can make it. */
function twin(token: string): string {
  const at = token.lastIndexOf('.') + 1;
  const bytes = Buffer.from(token.slice(at), 'base64url');
  const s = N - BigInt(`0x${bytes.subarray(32).toString('hex')}`);
  return (
    token.slice(0, at) + Buffer.concat([bytes.subarray(0, 32), Buffer.from(s.toString(16).padStart(64, '0'), 'hex')]).toString('base64url')
  );
}
type Once = Exclude<Kind, 'subject'>;
const REPLAYED = {
  assertion: { ...REFUSED.assertion, reason: 'assertion_replayed' },
  proof: { ...REFUSED.proof, reason: 'proof_replayed' },
  actor: { ...REFUSED.actor, reason: 'actor_replayed' },
} as const;
const ONCE: readonly Once[] = ['assertion', 'proof', 'actor'];

/** The answer and the one entry that tells of it. */
async function told(asking: Asking): Promise<{ readonly answer: Answer; readonly said: string }> {
  const from = await rig.count();
  const answer = await rig.ask(asking);
  const entries = await exchangesAfter(rig, from);
  assert.equal(entries.length, 1);
  const [entry] = entries;
  keptQuiet(rig, answer, entries);
  return {
    answer,
    said: [answer.status, answer.body['error'] ?? 'ok', entry?.kind, entry?.reason, entry?.detail].filter((x) => x !== undefined).join(' '),
  };
}
const words = ({ status, error, reason }: { status: number; error: string; reason: string }): string =>
  `${status} ${error} refused ${reason}`;
const GOOD = '200 ok minted';

describe('one token, twice', () => {
  for (const kind of ONCE) {
    test(`1 the same ${kind}`, async () => {
      const token = await goodToken(rig, kind);
      assert.equal((await told(showing(kind, { token }))).said, GOOD);
      assert.equal((await told(showing(kind, { token }))).said, words(REPLAYED[kind]));
    });
    test(`2 the ${kind} and the twin of its signature`, async () => {
      const token = await goodToken(rig, kind);
      assert.equal((await told(showing(kind, { token: twin(token) }))).said, GOOD);
      assert.equal((await told(showing(kind, { token }))).said, words(REPLAYED[kind]));
    });
    test(`3 another ${kind} with the same id`, async () => {
      const claims = { jti: randomUUID() };
      assert.equal((await told(showing(kind, { claims }))).said, GOOD);
      assert.equal((await told(showing(kind, { claims: { ...claims, iat: rig.now() - 1 } }))).said, words(REPLAYED[kind]));
    });
    test(`4 the ${kind} of a request that was refused for something else is used up`, async () => {
      const token = await goodToken(rig, kind);
      const wrong = await told({ ...showing(kind, { token }), entry: { identifier: 'delete_customer' }, args: { customer_id: 'c' } });
      assert.equal(wrong.answer.status, 403);
      assert.equal((await told(showing(kind, { token }))).said, words(REPLAYED[kind]));
    });
    test(`5 a used ${kind} outranks what else is wrong`, async () => {
      const token = await goodToken(rig, kind);
      assert.equal((await told(showing(kind, { token }))).said, GOOD);
      assert.equal((await told({ ...showing(kind, { token }), subject: { claims: { groups: [] } } })).said, words(REPLAYED[kind]));
      assert.equal(
        (await told({ ...showing(kind, { token }), form: { resource: 'https://other.example/mcp' } })).said,
        words(REPLAYED[kind]),
      );
    });
  }
  test('6 a subject token is no one-time token: the person is signed in until its end', async () => {
    const token = await goodToken(rig, 'subject');
    for (const shown of [token, twin(token), token]) assert.equal((await told({ subject: { token: shown } })).said, GOOD);
  });
  test('7 what never proved anybody uses nothing up', async () => {
    const jti = randomUUID();
    assert.equal(
      (await told({ assertion: { key: newKey(), claims: { jti } } })).said,
      '401 invalid_client refused client_unauthenticated token_signature',
    );
    assert.equal((await told({ assertion: { claims: { jti } } })).said, GOOD);
    assert.equal(
      (await told({ proof: { header: { jwk: undefined }, claims: { jti } } })).said,
      '400 invalid_dpop_proof refused proof_bad proof_key',
    );
    assert.equal((await told({ proof: { claims: { jti } } })).said, GOOD);
  });
  test('8 a stale nonce uses the assertion up, and not the proof', async () => {
    const [assertion, jti] = [await goodToken(rig, 'assertion'), randomUUID()];
    assert.equal(
      (await told({ assertion: { token: assertion }, nonce: null, proof: { claims: { jti } } })).said,
      '400 use_dpop_nonce refused nonce_needed',
    );
    assert.equal((await told({ assertion: { token: assertion }, proof: { claims: { jti } } })).said, words(REPLAYED.assertion));
    assert.equal(
      (await told({ proof: { claims: { jti } } })).said,
      words(REPLAYED.proof),
      'with the good assertion before, the proof was shown and marked',
    );
  });
});

describe('ids', () => {
  test('1 one id in an assertion, a proof and an actor token is three ids', async () => {
    const jti = randomUUID();
    const part = { claims: { jti } };
    assert.equal((await told({ ...LOOK, assertion: part, proof: part, actor: part })).said, GOOD);
    assert.equal((await told({ ...LOOK, assertion: part })).said, words(REPLAYED.assertion));
    assert.equal((await told({ ...LOOK, proof: part })).said, words(REPLAYED.proof));
    assert.equal((await told({ ...LOOK, actor: part })).said, words(REPLAYED.actor));
  });
  test('2 one id of two agents is two ids', async () => {
    const jti = randomUUID();
    assert.equal((await told({ assertion: { claims: { jti } } })).said, GOOD);
    const key = rig.agents['nightly-report'];
    const other: Asking = {
      subject: null,
      form: { grant_type: 'client_credentials' },
      entry: { identifier: 'list_orders' },
      args: {},
      assertion: { ...(key && { key }), claims: { iss: 'nightly-report', sub: 'nightly-report', jti } },
    };
    assert.equal((await told(other)).said, GOOD);
  });
  test('3 one proof id of two keys is two ids', async () => {
    const claims = { jti: randomUUID() };
    assert.equal((await told({ proof: { claims } })).said, GOOD);
    assert.equal((await told({ proof: { key: newKey(), claims } })).said, GOOD);
  });
  for (const [index, jti] of [
    'x/y',
    '../x',
    'once/assertion/x',
    "' OR 1=1 --",
    'é',
    'e\u0301',
    '\u202e',
    'a'.repeat(1_000),
    '__proto__',
    ' ',
    '%00',
  ].entries()) {
    test(`${index + 4} the id ${JSON.stringify(jti).slice(0, 24)} is one like others`, async () => {
      assert.equal((await told({ assertion: { claims: { jti } } })).said, GOOD);
      assert.equal((await told({ assertion: { claims: { jti } } })).said, words(REPLAYED.assertion));
    });
  }
});

describe('fifty at once', () => {
  for (const kind of ONCE) {
    test(`1 with one ${kind}: one is granted, forty-nine are told why`, async () => {
      const token = await goodToken(rig, kind);
      const forms = await Promise.all(
        Array.from({ length: 50 }, (_, i) => rig.form(showing(kind, { token: i % 2 ? twin(token) : token }))),
      );
      const from = await rig.count();
      const answers = await Promise.all(
        forms.map(({ body, headers }) => fetch(`${rig.issuer}/token`, { method: 'POST', headers, body }).then(answerOf)),
      );
      const { status, error, reason } = REPLAYED[kind];
      const expected = [[200, undefined], ...Array.from({ length: 49 }, () => [status, error])];
      assert.deepEqual(
        answers.map((one) => [one.status, one.body['error']]).sort((a, b) => Number(a[0]) - Number(b[0])),
        expected,
      );
      const entries = await exchangesAfter(rig, from);
      assert.deepEqual(
        entries.map((entry) => entry.reason ?? entry.kind).sort(),
        [...Array.from({ length: 49 }, () => reason), 'minted'].sort(),
      );
      assert.equal(new Set(entries.flatMap((entry) => entry.jti ?? [])).size, 50, 'each try had its own id');
    });
  }
  test('2 with one whole request: one is granted', async () => {
    const { body, headers } = await rig.form();
    const answers = await Promise.all(
      Array.from({ length: 50 }, () => fetch(`${rig.issuer}/token`, { method: 'POST', headers, body }).then(answerOf)),
    );
    assert.deepEqual(answers.map(({ status }) => status).sort(), [200, ...Array.from({ length: 49 }, () => 401)]);
  });
});

describe('whoever stood before', () => {
  const file = (name: string): string => join(rig.folder, 'policies', name);
  /** The bundle changed, one request, and the bundle as it was. */
  async function during(change: (agents: string) => string, asking: () => Asking | Promise<Asking>): Promise<string> {
    const good = await readFile(file('agents.yaml'), 'utf8');
    const put = async (text: string): Promise<void> => {
      await writeFile(file('agents.yaml'), text);
      await writeManifest(join(rig.folder, 'policies'));
      const report = await rig.app.reload();
      assert.deepEqual([report.ok, report.problems], [true, []]);
    };
    await put(change(good));
    try {
      return (await told(await asking())).said;
    } finally {
      await put(good);
      assert.equal((await told({})).said, GOOD);
    }
  }
  const suspended = (id: string) => (text: string) => text.replace(`id: ${id}\n`, `id: ${id}\n    suspended: true\n`);
  const gone = (id: string) => (text: string) => text.replace(new RegExp(` {2}- id: ${id}\\n[\\s\\S]*?(?=\\n {2}- id: |$)`), '');

  test('1 an agent suspended between two requests', async () => {
    assert.equal(await during(suspended('refund-bot'), () => ({})), '403 access_denied refused client_suspended');
  });
  test('2 its assertion is used up all the same', async () => {
    const token = await goodToken(rig, 'assertion');
    assert.equal(await during(suspended('refund-bot'), () => ({ assertion: { token } })), '403 access_denied refused client_suspended');
    assert.equal((await told({ assertion: { token } })).said, words(REPLAYED.assertion));
  });
  test('3 a sub-agent suspended between two requests', async () => {
    assert.equal(await during(suspended('triage-bot'), () => LOOK), '403 access_denied refused suspended');
  });
  test('4 an agent that the person’s token nests', async () => {
    const asking: Asking = {
      entry: { identifier: 'list_orders' },
      args: {},
      subject: { claims: { act: { iss: rig.issuer, sub: 'triage-bot' } } },
    };
    assert.equal(await during(suspended('triage-bot'), () => asking), '403 access_denied refused suspended');
  });
  test('5 an owner who left', async () => {
    const left = (text: string): string => text.replace(/\n {2}- \{ id: people:u_alice[^\n]*/, '');
    assert.equal(await during(left, () => ({})), '403 access_denied refused owner_missing');
  });
  test('6 an agent that was removed', async () => {
    assert.equal(await during(gone('refund-bot'), () => ({})), '401 invalid_client refused client_unknown');
  });
  test('7 a sub-agent that was removed', async () => {
    assert.equal(await during(gone('triage-bot'), () => LOOK), '400 invalid_request refused actor_bad actor_unknown');
  });
  test('8 a key that was replaced', async () => {
    const { x, kid } = rig.agent.publicJwk as { x: string; kid: string };
    const other = newKey().publicJwk as { x: string; y: string };
    const replaced = (text: string): string => text.replace(x, other.x).replace(String(rig.agent.publicJwk['y']), other.y);
    assert.equal(await during(replaced, () => ({})), '401 invalid_client refused client_unauthenticated token_signature');
    const named = (text: string): string => text.replace(kid, 'another');
    assert.equal(
      await during(named, () => ({ assertion: { header: { kid } } })),
      '401 invalid_client refused client_unauthenticated token_kid',
    );
  });
  test('9 an agent halted between decision and mint', async () => {
    const halt = (key: string) => ({ key, version: 0, value: 1, until: rig.now() + 2, else: 'taken' }) as const;
    for (const key of ['halt/agent/refund-bot', 'halt/subject/people:u_bob', 'halt/server/shop', 'halt/all']) {
      const at = rig.now();
      assert.equal(await rig.app.store.commit({ at, notAfter: at + 5, claims: [{ ...halt(key), until: at + 1 }], entries: [] }), undefined);
      assert.equal((await told({})).said, '403 access_denied refused suspended');
      for (let i = 0; i < 60 && (await rig.app.store.look([key])).found[0]; i++) await new Promise((resolve) => setTimeout(resolve, 50));
    }
    assert.equal((await told({})).said, GOOD);
  });
});

test('then: the chain verifies, metrics name nobody, nobody else was asked', () => settled(ground));

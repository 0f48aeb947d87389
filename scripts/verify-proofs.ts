/**
 * Offline: did the people sign who are said to have agreed? From the ledger alone, without a secret: what was signed is made again from the entry of
 * the vote (src/approve/challenge.ts), and the passkey is the one that this person registered, further up in the same ledger.
 */
import { challengeOf, type SignedFacts, signedOf } from '../src/approve/challenge.ts';
import { fromBody } from '../src/record/entry.ts';
import { isObject, type JsonObject } from '../src/wire/json.ts';

export interface BadProof {
  readonly seq: number;
  readonly why: string;
}
export interface ProofChecker {
  /** Every entry, in order. */
  take(body: JsonObject, seq: number): void;
  /** Checks what was taken since. The first that does not hold. */
  check(): Promise<BadProof | undefined>;
  /** Good ones. */
  readonly count: number;
}
const WHY = {
  form: 'what a passkey is said to have signed is not what one signs',
  stranger: 'the passkey of a vote is not one that this person had registered',
  late: 'a vote is later than what was signed lets it be',
  proof_malformed: 'what a passkey is said to have signed is not what one signs',
  proof_challenge: 'a passkey signed something else than what this entry says',
  proof_origin: 'a passkey signed for another site',
  proof_unverified: 'a passkey signed without knowing that it was its person',
  proof_counter: 'a passkey’s signature is older than the one before it',
  proof_signature: 'a passkey’s signature does not hold',
} as const;

interface Known {
  readonly person: string;
  readonly publicKey: string;
  readonly origin: string;
  counter: number;
}
interface Vote {
  readonly seq: number;
  readonly at: number;
  readonly facts: SignedFacts;
  readonly told: JsonObject;
  readonly known: Known;
}

/** `trimmed`: what was registered may stand in a part that was exported and taken away; then the key in the vote's own entry is believed. */
export function proofChecker({ trimmed }: { readonly trimmed: boolean }): ProofChecker {
  const keys = new Map<string, Known>();
  const removed = new Set<string>();
  const votes: Vote[] = [];
  let bad: BadProof | undefined;
  let count = 0;

  function registered({ context, by }: ReturnType<typeof fromBody>): void {
    const { step, credential, public_key: publicKey, origin } = context ?? {};
    if (typeof credential !== 'string') return;
    if (step === 'remove') {
      keys.delete(credential);
      removed.add(credential);
    } else if (typeof publicKey === 'string' && typeof origin === 'string' && by !== undefined)
      keys.set(credential, { person: by, publicKey, origin, counter: 0 });
  }
  function keyOf(told: JsonObject, by: string): Known | undefined {
    const { credential, public_key: publicKey } = told;
    const known = keys.get(String(credential));
    if (known) return known.person === by && known.publicKey === publicKey ? known : undefined;
    if (!trimmed || removed.has(String(credential))) return undefined;
    const client = parse(Buffer.from(String(told['client_data']), 'base64url').toString('utf8'));
    const own: Known = { person: by, publicKey: String(publicKey), origin: String(client?.['origin']), counter: 0 };
    keys.set(String(credential), own);
    return own;
  }

  return {
    take(body, seq) {
      if (bad) return;
      const { kind, context } = body;
      if (kind === 'passkey') return registered(fromBody(body));
      if ((kind !== 'pending' && kind !== 'approved') || !isObject(context) || context['passkey'] === undefined) return;
      const entry = fromBody(body);
      const told = context['passkey'];
      const facts = isObject(told) ? factsOf(entry, told) : undefined;
      if (!isObject(told) || !facts || entry.by === undefined) {
        bad = { seq, why: WHY.form };
        return;
      }
      const known = keyOf(told, entry.by);
      if (!known) bad = { seq, why: WHY.stranger };
      else votes.push({ seq, at: entry.at, facts, told, known });
    },
    async check() {
      for (const { seq, at, facts, told, known } of votes.splice(0)) {
        const { checkAssertion } = await import('../src/approve/passkey-webauthn.ts');
        const text = (name: string): string => String(told[name]);
        const credential = text('credential');
        const assertion = {
          credential,
          authenticatorData: text('authenticator_data'),
          clientDataJSON: text('client_data'),
          signature: text('signature'),
        };
        const expected = { challenge: challengeOf(signedOf(facts)), origin: known.origin, rpID: URL.parse(known.origin)?.hostname ?? '' };
        const counter = await checkAssertion(assertion, { credential, publicKey: known.publicKey, counter: known.counter }, expected);
        const flaw = counter.ok ? (at >= facts.expires ? 'late' : undefined) : counter.error;
        if (flaw) return { seq, why: WHY[flaw] };
        if (counter.ok) known.counter = counter.value;
        count++;
      }
      return bad;
    },
    get count() {
      return count;
    },
  };
}

/** All that was signed, as the entry says it. */
function factsOf(entry: ReturnType<typeof fromBody>, told: JsonObject): SignedFacts | undefined {
  const { client, subject, actors = [], resource, tool, credential = 'jwt', approval, bundle, context } = entry;
  const { arguments: commitment, expires, steps } = told;
  const vote = context?.['vote'];
  if (client === undefined || subject === undefined || resource === undefined || tool === undefined) return undefined;
  if (approval === undefined || bundle === undefined || (vote !== 'approve' && vote !== 'confirm')) return undefined;
  if (typeof commitment !== 'string' || typeof expires !== 'number') return undefined;
  const facts = { client, subject, actors, resource, tool, credential, approval, bundle, vote, expires } as const;
  const named = steps === undefined ? {} : { steps: steps as readonly number[] };
  return { ...facts, ...named, arguments: commitment as SignedFacts['arguments'] };
}
function parse(text: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Offline: did the people sign who are said to have agreed? From the ledger alone, without a secret: what was signed is made again from the entry of
 * the vote (src/approve/challenge.ts), and the passkey is the one that this person registered, further up in the same ledger. So is what one of a
 * person's passkeys signs when another comes or goes: none but the first, and the first after an operator's reset, comes without.
 */
import { actOf, challengeOf, type SignedFacts, signedOf } from '../src/approve/challenge.ts';
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
  stranger: 'a signature is not by a passkey that its person had registered',
  late: 'a vote is later than what was signed lets it be',
  unproven: 'a passkey came or went without a signature of one that its person had',
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
interface Signature {
  readonly seq: number;
  readonly at: number;
  readonly signed: JsonObject;
  readonly expires: number;
  readonly told: JsonObject;
  readonly known: Known;
}

/**
 * `trimmed`: what was registered may stand in a part that was exported and taken away; then the key in the vote's own entry is believed. `parted`: so
 * may anything between, and nobody can tell whether somebody who had a passkey has it still.
 */
export function proofChecker({ trimmed, parted = false }: { readonly trimmed: boolean; readonly parted?: boolean }): ProofChecker {
  const keys = new Map<string, Known>();
  const removed = new Set<string>();
  const signatures: Signature[] = [];
  let bad: BadProof | undefined;
  let count = 0;

  const isHolder = (person: string): boolean => [...keys.values()].some((known) => known.person === person);
  function forget(credential: string): void {
    keys.delete(credential);
    removed.add(credential);
  }
  function changed(entry: ReturnType<typeof fromBody>, seq: number): void {
    const { step, credential, public_key: publicKey, origin, label, passkey: told, person, credentials } = entry.context ?? {};
    const { by } = entry;
    if (step === 'reset') {
      for (const [own, known] of keys) if (known.person === person) forget(own);
      if (Array.isArray(credentials)) for (const own of credentials) forget(String(own));
    }
    if (typeof credential !== 'string' || by === undefined) return;
    if (told !== undefined) {
      const { offer, expires } = isObject(told) ? told : {};
      if (!isObject(told) || (step !== 'register' && step !== 'remove') || typeof offer !== 'string' || typeof expires !== 'number') {
        bad = { seq, why: WHY.form };
        return;
      }
      sign(entry, seq, told, actOf({ act: step, person: by, credential, label: String(label), offer, expires }), expires);
    } else if (!parted && isHolder(by)) bad = { seq, why: WHY.unproven };
    if (step === 'remove') forget(credential);
    else if (typeof publicKey === 'string' && typeof origin === 'string')
      keys.set(credential, { person: by, publicKey, origin, counter: 0 });
  }
  function sign({ by = '', at }: ReturnType<typeof fromBody>, seq: number, told: JsonObject, signed: JsonObject, expires: number): void {
    const known = keyOf(told, by);
    if (known) signatures.push({ seq, at, signed, expires, told, known });
    else bad = { seq, why: WHY.stranger };
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
      if (kind === 'passkey') return changed(fromBody(body), seq);
      if ((kind !== 'pending' && kind !== 'approved') || !isObject(context) || context['passkey'] === undefined) return;
      const entry = fromBody(body);
      const told = context['passkey'];
      const facts = isObject(told) ? factsOf(entry, told) : undefined;
      if (!isObject(told) || !facts || entry.by === undefined) {
        bad = { seq, why: WHY.form };
        return;
      }
      sign(entry, seq, told, signedOf(facts), facts.expires);
    },
    async check() {
      for (const { seq, at, signed, expires, told, known } of signatures.splice(0)) {
        const { checkAssertion } = await import('../src/approve/passkey-webauthn.ts');
        const text = (name: string): string => String(told[name]);
        const credential = text('credential');
        const assertion = {
          credential,
          authenticatorData: text('authenticator_data'),
          clientDataJSON: text('client_data'),
          signature: text('signature'),
        };
        const expected = { challenge: challengeOf(signed), origin: known.origin, rpID: URL.parse(known.origin)?.hostname ?? '' };
        const counter = await checkAssertion(assertion, { credential, publicKey: known.publicKey, counter: known.counter }, expected);
        const flaw = counter.ok ? (at >= expires ? 'late' : undefined) : counter.error;
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

/** What people are called, by their issuer's word at their last login: asked for once, and shown in quotation marks beside the name that counts. */
import { useEffect, useState } from 'preact/hooks';
import { api } from './api.ts';

interface Answer {
  readonly people: readonly { readonly name: string; readonly called: string }[];
  readonly next?: string;
}
/** Of the many who may have logged in so many are asked for. */
const PARTS = 5;
const roles = (JSON.parse(document.body.dataset['me'] ?? '{}') as { readonly roles?: readonly string[] }).roles ?? [];
let asked: Promise<ReadonlyMap<string, string>> | undefined;

async function ask(): Promise<ReadonlyMap<string, string>> {
  const known = new Map<string, string>();
  // Whoever has no role here is told of nobody.
  for (let [left, after]: [number, string] = [roles.length > 0 ? PARTS : 0, '']; left > 0; left--) {
    const { people, next } = await api.get<Answer>(`/operator/people${after}`, { unattended: true });
    for (const { name, called } of people) known.set(name, called);
    if (next === undefined) break;
    after = `?after=${next}`;
  }
  return known;
}
/** Undefined: not known, or not yet. */
export function useCalled(name: string): string | undefined {
  const [known, setKnown] = useState<ReadonlyMap<string, string>>();
  useEffect(() => {
    let gone = false;
    asked ??= ask().catch(() => new Map());
    void asked.then((all) => gone || setKnown(all));
    return () => {
      gone = true;
    };
  }, []);
  return known?.get(name);
}

/** What the Explorer looks for, as it stands in the address: whoever has the link sees the same search. */

export const NAMES = ['q', 'agent', 'subject', 'owner', 'tool', 'server', 'outcome', 'reason', 'policy', 'by'] as const;
export type Name = (typeof NAMES)[number];
export interface Asked extends Partial<Readonly<Record<Name, string>>> {
  /** `1h`: so long before now. */
  readonly since?: string;
  /** Epoch seconds: pages further back. */
  readonly before?: string;
}
export const OUTCOMES = [
  ['minted', 'granted'],
  ['refused', 'refused'],
  ['pending', 'sent to people'],
  ['approved', 'approved'],
  ['denied', 'denied'],
  ['expired', 'expired'],
  ['cancelled', 'cancelled'],
  ['receipt', 'used (a receipt)'],
  ['failed', 'used, and failed'],
  ['revoked', 'revoked'],
  ['ended', 'credential ended'],
  ['faulted', 'not answered'],
  ['key', 'keys'],
  ['bundle', 'policy'],
  ['export', 'export'],
  ['session', 'session'],
] as const;
export const SINCE = [
  ['', 'any time'],
  ['15m', 'last 15 minutes'],
  ['1h', 'last hour'],
  ['24h', 'last 24 hours'],
  ['7d', 'last 7 days'],
] as const;
const UNITS: Readonly<Record<string, number>> = { m: 60, h: 3_600, d: 86_400 };

/** Of an address's query; what is not known there is left alone. */
export function readAsked(query: string): Asked {
  const params = new URLSearchParams(query);
  const found = [...NAMES, 'since', 'before'].flatMap((name) => {
    const value = params.get(name)?.trim();
    return value ? [[name, value]] : [];
  });
  return Object.fromEntries(found) as Asked;
}
export function addressOf(asked: Asked): string {
  const params = new URLSearchParams(Object.entries(asked).filter(([, value]) => value !== ''));
  return params.size === 0 ? '' : `?${params}`;
}
/** What the broker is asked. */
export function apiQuery({ since, ...asked }: Asked, now: number): URLSearchParams {
  const params = new URLSearchParams(Object.entries(asked).filter(([, value]) => value !== ''));
  const [, count = '', unit = ''] = /^(\d{1,6})([mhd])$/.exec(since ?? '') ?? [];
  if (count !== '') params.set('from', String(Math.max(0, now - Number(count) * (UNITS[unit] ?? 60))));
  return params;
}
/** All of one action: nothing to search for. */
export const isId = (text: string): boolean => /^(?:exc|txn|tok|apr)_[0-9a-f]{8,64}$/.test(text);

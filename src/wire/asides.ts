/** Refused on the wire, and nobody was told no: steps of a conversation that goes on. Counts and lists tell them apart from refusals. Nothing of Node: browsers read this too. */
export const ASIDES = ['nonce_needed', 'approval_pending', 'approval_too_fast', 'plan_decided'] as const;
export type Aside = (typeof ASIDES)[number];
export const isAside = (reason: string | undefined): reason is Aside => ASIDES.some((one) => one === reason);

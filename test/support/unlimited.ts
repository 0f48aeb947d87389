/**
 * For brokers under load, on a machine that has other things to do, and for those that are asked thousands of bad things from one address: what is
 * limited or shed is tested by itself.
 */
export const UNLIMITED = { perAddress: 'none', perAgent: 'none', refusals: 'none', pressureMs: 'none' } as const;

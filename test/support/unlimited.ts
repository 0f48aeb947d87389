/** For brokers under load, and for those that are asked thousands of bad things from one address: what is limited is tested by itself. */
export const UNLIMITED = { perAddress: 'none', perAgent: 'none', refusals: 'none' } as const;

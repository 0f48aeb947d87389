/** Loaded first by a child whose broker decides nothing: everything is allowed. For a comparison with what has no policy. */
import type { Engine } from '../../src/bundle/bundle.ts';
import { ok } from '../../src/wire/result.ts';
import { swap } from './swap.ts';

swap('/src/decide/policy-cedar.ts', import.meta.url);

export const cedarEngine = (): Engine => async () =>
  ok({ policy: { size: 0, decide: () => ({ allow: true, policies: [], ttlSeconds: 60 }) }, warnings: [] });

/** The demo's own stage for tests: broker, identity provider, shop and the agents' keys in one process, in a folder that goes with it. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import type { IdentityProvider } from '../../scripts/demo/identity-provider.ts';
import { type Stage, type StageOptions, setStage } from '../../scripts/demo/stage.ts';

export interface Demo extends Stage {
  readonly issuer: string;
  readonly idp: IdentityProvider;
}

export async function openDemo(options: Pick<StageOptions, 'shop'> = {}): Promise<Demo> {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-'));
  const stage = await setStage({ folder, log: pino({ level: 'silent' }), ...options });
  return {
    ...stage,
    issuer: stage.app.issuer,
    idp: stage.people,
    async close() {
      await stage.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

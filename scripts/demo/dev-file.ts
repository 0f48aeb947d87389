/** How `npm run ask` finds what `npm start -- --dev` started: throw-away keys, in a file of this user alone. */
import { join } from 'node:path';
import type { JsonObject } from '../../src/wire/json.ts';

export const DEV_FOLDER = 'data/dev';
export const devFile: string = join(DEV_FOLDER, 'agents.json');
export interface DevFile {
  readonly issuer: string;
  readonly resource: string;
  readonly people: string;
  readonly agents: Readonly<Record<string, { readonly client: string; readonly key: JsonObject }>>;
}

/** Two decisions against two signature checks: policy must not be what an exchange waits for. */
import { type Figure, rowOf } from './figure.ts';
import type { Floors } from './floors.ts';
import { startChild } from './scene.ts';

export const policy: Figure = {
  name: 'policy',
  about: 'two decisions against two verifications, in hot loops',
  async measure({ quick, tell }) {
    const child = startChild();
    try {
      const samples: Floors[] = [];
      await child.tell({ do: './floors.ts' });
      for (let i = 0; i < (quick ? 5 : 15); i++) samples.push(await child.tell<Floors>({ do: './floors.ts' }));
      tell('done');
      return {
        rows: [
          rowOf(
            '2C ÷ 2V',
            '×',
            samples.map((s) => s.decision / s.verify),
            { atMost: 1, excellent: 0.75 },
          ),
          rowOf(
            '  2C: subject and agent',
            'µs',
            samples.map((s) => 2 * s.decision),
          ),
          rowOf(
            '  2V',
            'µs',
            samples.map((s) => 2 * s.verify),
          ),
        ],
        notes: ['The sample bundle, typed input and slice included, as an exchange asks it.'],
      };
    } finally {
      await child.end();
    }
  },
};

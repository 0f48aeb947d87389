/** What a tool server pays before it acts. */
import { type Figure, rowOf } from './figure.ts';
import { startChild } from './scene.ts';
import type { Loop } from './verifier-loop.ts';

export const verifier: Figure = {
  name: 'verifier',
  about: 'countersign/verify (DPoP, digest, consume, memory store) ÷ its two signature checks',
  async measure({ quick, tell }) {
    const child = startChild();
    try {
      const loops: Loop[] = [];
      for (let i = 0; i < 5; i++) await child.tell({ do: './verifier-loop.ts' });
      for (let i = 0; i < (quick ? 7 : 15); i++) {
        tell(`round ${i + 1}`);
        loops.push(await child.tell<Loop>({ do: './verifier-loop.ts' }));
      }
      return {
        rows: [
          rowOf(
            'one verification ÷ two signature checks',
            '×',
            loops.map((l) => l.verified / l.signatures),
            { atMost: 1.3 },
          ),
          rowOf(
            '  one verification',
            'µs',
            loops.map((l) => l.verified),
          ),
          rowOf(
            '  two signature checks',
            'µs',
            loops.map((l) => l.signatures),
          ),
        ],
        notes: ['Twenty holders; every token and proof is new; the issuer’s key is at hand.'],
      };
    } finally {
      await child.end();
    }
  },
};

import { decodeUriKey } from '../../../src/protocol/uri-key.ts';
import { holds, type Target } from '../target.ts';

/*
 * Faults to be found, for the test of the fuzzer. Not among the targets there are.
 */
const seeds = [Buffer.from('a%41b')];

export const plantedTargets: readonly Target[] = [
  {
    name: 'planted-fault',
    seeds,
    words: ['%', '%00'],
    run: (input) => holds(decodeUriKey(input.toString('latin1'))?.includes(0) !== true, 'no key has a NUL'),
  },
  {
    name: 'planted-hang',
    seeds,
    words: [],
    run: (input) => {
      while (input[0] !== 0x61);
    },
  },
  {
    name: 'planted-memory',
    seeds,
    words: [],
    run: (input) => {
      if (input[0] !== 0x61) Buffer.alloc(2 ** 31);
    },
  },
  {
    name: 'planted-exception',
    seeds,
    words: [],
    run: (input) => {
      if (input[0] !== 0x61) {
        setImmediate(() => {
          throw new Error('nobody catches this');
        });
      }
      return new Promise((resolve) => setImmediate(resolve));
    },
  },
];

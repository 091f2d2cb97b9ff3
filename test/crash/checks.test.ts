import { describe, expect, it } from 'vitest';
import { CasUniques } from './cas-uniques.ts';
import { Faults } from './faults.ts';

describe('CasUniques', () => {
  it('finds one that stands for two values', () => {
    const faults = new Faults();
    const cas = new CasUniques(faults);
    cas.saw(5, 'a@1', true);
    cas.saw(5, 'a@1', true);
    expect(faults.total).toBe(0);
    cas.saw(5, 'a@2', true);
    expect(faults.kept).toEqual([': cas unique 5 stands for a@1 and for a@2']);
  });

  it('finds one that is given out again after a restart', () => {
    const faults = new Faults();
    const cas = new CasUniques(faults);
    cas.saw(7, 'a@1', true);
    cas.serverStarted();
    cas.saw(7, 'a@1', false);
    cas.saw(8, 'a@2', true);
    expect(faults.total).toBe(0);
    cas.saw(6, 'b@1', true);
    expect(faults.total).toBe(1);
  });
});

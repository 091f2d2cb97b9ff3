import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { GrantedDead } from '../../src/upkeep/granted-dead.ts';

const MIB = 2 ** 20;
/** What may be written on top before there is hurry, with 100 MiB alive. */
const SLACK = 15 * MIB;

describe('GrantedDead', () => {
  it('grants nothing of what writers made dead by overwriting', () => {
    const granted = new GrantedDead(1);
    for (let dead = 0; dead <= 300 * MIB; dead += 10 * MIB) expect(granted.note(dead, 100 * MIB, 0)).toBe(0);
  });

  it('grants what a delete made dead, and no more when writers add to it', () => {
    const granted = new GrantedDead(1);
    granted.note(0, 1000 * MIB, 0);
    expect(granted.note(900 * MIB, 100 * MIB, 0)).toBe(800 * MIB + SLACK);
    expect(granted.note(950 * MIB, 100 * MIB, 0)).toBe(800 * MIB + SLACK);
  });

  it('grants less as it is given back, and nothing again once it was', () => {
    const granted = new GrantedDead(1);
    granted.note(0, 1000 * MIB, 0);
    granted.note(900 * MIB, 100 * MIB, 0);
    expect(granted.note(500 * MIB, 100 * MIB, 0)).toBe(400 * MIB + SLACK);
    expect(granted.note(700 * MIB, 100 * MIB, 0)).toBe(400 * MIB + SLACK);
    expect(granted.note(100 * MIB, 100 * MIB, 0)).toBe(0);
    expect(granted.note(300 * MIB, 100 * MIB, 0)).toBe(0);
  });

  it('grants what giving back takes meanwhile, but only where something is granted', () => {
    const granted = new GrantedDead(1);
    granted.note(0, 1000 * MIB, 0);
    granted.note(900 * MIB, 100 * MIB, 0);
    expect(granted.note(930 * MIB, 100 * MIB, 30 * MIB)).toBe(830 * MIB + SLACK);
    expect(granted.note(870 * MIB, 100 * MIB, 0)).toBe(770 * MIB + SLACK);
    expect(new GrantedDead(1).note(120 * MIB, 100 * MIB, 30 * MIB)).toBe(0);
  });

  it('grants what a store that is opened holds', () => {
    expect(new GrantedDead(1).note(900 * MIB, 100 * MIB, 0)).toBe(800 * MIB + SLACK);
  });

  it('grants nothing any more once all was given back and writers went past what is no hurry', () => {
    const granted = new GrantedDead(1);
    expect(granted.note(19, 18, 0)).toBeCloseTo(1 + 0.15 * 18);
    expect(granted.note(20, 19, 0)).toBeCloseTo(0.15 * 19);
    expect(granted.note(21, 19, 0)).toBe(0);
  });

  it('leaves at least as much of the log ungranted as it grew by', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(1000), fc.nat(1000)), { minLength: 1 }), fc.nat(1000), (looks, growth) => {
        const granted = new GrantedDead(1);
        let last = 0;
        for (const [dead, live] of looks) {
          last = granted.note(dead, live, 0);
          expect(last).toBeGreaterThanOrEqual(0);
          expect(last).toBeLessThanOrEqual(dead);
        }
        const [dead, live] = looks.at(-1)!;
        fc.pre(dead > live);
        expect(granted.note(dead + growth, live, 0)).toBeLessThanOrEqual(last);
      }),
    );
  });
});

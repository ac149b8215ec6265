/** Numbers of pages, held against a plain map; and what of a state is removed with a path. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PageNumbers } from '../../src/engine/trace/column.js';
import { StateLog } from '../../src/engine/trace/state-log.js';

describe('page numbers', () => {
  it('hold what a map holds, and come in ascending order', () => {
    const page = fc.integer({ min: 0, max: 3000 });
    fc.assert(
      fc.property(fc.array(fc.tuple(page, fc.option(fc.nat(2 ** 40)))), (changes) => {
        const numbers = new PageNumbers();
        const map = new Map<number, number>();
        for (const [at, value] of changes) {
          if (value === null) expect(numbers.delete(at)).toBe(map.delete(at));
          else {
            numbers.set(at, value);
            map.set(at, value);
          }
        }
        expect([...numbers.entries()]).toEqual([...map].sort(([a], [b]) => a - b));
        expect(numbers.size).toBe(map.size);
      }),
    );
    expect(new PageNumbers().get(0.5)).toBeUndefined();
  });
});

describe('a state', () => {
  it('loses a path with everything below it, and nothing beside it', () => {
    const state = new StateLog();
    for (const path of ['a', 'a/b', 'a/b/c', 'ab', 'x/a']) state.set(path, 1);
    state.remove('a');
    expect([...state.now.keys()]).toEqual(['ab', 'x/a']);
    state.set('a/b', 2);
    state.remove('x');
    expect([...state.at(state.length)]).toEqual([
      ['ab', 1],
      ['a/b', 2],
    ]);
    expect([...state.at(5).keys()]).toEqual(['a', 'a/b', 'a/b/c', 'ab', 'x/a']);
  });
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Node } from '../../../src/tree/node.js';
import type { TreeNode } from '../../../src/tree/tree.js';
import { TreeSearch, nextMatch } from '../../../src/tui/model/search.js';
import {
  type Branch,
  type Place,
  closeAt,
  closedTree,
  comparePlaces,
  isOpen,
  nodeAt,
  openAt,
  placeOfPath,
  placeOfRow,
  rowOfPlace,
  rowsBetween,
} from '../../../src/tui/model/tree-view.js';

/** A tree of the given widths; `widths[d]` children at depth d. */
function make(widths: readonly number[], path = 'r'): TreeNode[] {
  const [width = 0, ...rest] = widths;
  return Array.from({ length: width }, (_, index) => new Node(`${path}/${index}`, `${path}/${index}`, { children: () => make(rest, `${path}/${index}`) }));
}

/** All rows the slow way. */
function listed(at: Branch, place: Place = []): Place[] {
  return at.children.flatMap((_, index) => {
    const below = at.open.get(index);
    return [[...place, index], ...(below === undefined ? [] : listed(below, [...place, index]))];
  });
}

const places = fc.array(fc.integer({ min: 0, max: 4 }), { minLength: 1, maxLength: 3 });

describe('the open part of a tree', () => {
  it('counts rows as a plain listing does, after any opening and closing', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.boolean(), places), { maxLength: 30 }), (steps) => {
        let tree = closedTree(make([4, 3, 5]));
        for (const [open, place] of steps) tree = open ? openAt(tree, place) : closeAt(tree, place);
        const rows = listed(tree);
        expect(tree.rows).toBe(rows.length);
        for (const [row, place] of rows.entries()) {
          expect(placeOfRow(tree, row)).toEqual(place);
          expect(rowOfPlace(tree, place)).toBe(row);
        }
        expect(placeOfRow(tree, rows.length)).toBeNull();
        expect(rowsBetween(tree, 2, 7).map((row) => row.place)).toEqual(rows.slice(2, 9));
        expect([...rows].sort(comparePlaces)).toEqual(rows);
      }),
    );
  });

  it('opens everything above a place, and a leaf not at all', () => {
    const tree = openAt(closedTree(make([2, 2, 2])), [1, 0, 1]);
    expect(isOpen(tree, [1])).toBe(true);
    expect(isOpen(tree, [1, 0])).toBe(true);
    expect(isOpen(tree, [1, 0, 1])).toBe(false);
    expect(nodeAt(tree, [1, 0, 1])?.name).toBe('r/1/0/1');
    expect(openAt(tree, [7, 7])).toBe(tree);
  });

  it('finds a node by its path, or the deepest one on the way', () => {
    const roots = make([3, 3, 3]);
    expect(placeOfPath(roots, 'r/2/1/0')).toEqual([2, 1, 0]);
    expect(placeOfPath(roots, 'r/2/1/0/name')).toEqual([2, 1, 0]);
    expect(placeOfPath(roots, 'r/2/9')).toEqual([2]);
    expect(placeOfPath(roots, 'elsewhere')).toBeNull();
  });
});

describe('search', () => {
  it('finds what is open at once, the rest in slices, in the order of the rows', () => {
    const tree = openAt(closedTree(make([3, 3, 3])), [1]);
    const search = new TreeSearch('/1', tree);
    expect(search.found).toEqual([[1], [1, 0], [1, 1], [1, 2]]);
    expect(search.done).toBe(false);
    while (!search.done) search.step(1);
    expect(search.found).toEqual(listed(openAll()).filter((place) => place.includes(1)));
  });

  const openAll = (): Branch => {
    let tree = closedTree(make([3, 3, 3]));
    for (let first = 0; first < 3; first++) for (let second = 0; second < 3; second++) tree = openAt(tree, [first, second]);
    return tree;
  };

  it('stops at its limit and says so', () => {
    const search = new TreeSearch('nothing', closedTree(make([10, 10, 10])), 50);
    while (!search.done) search.step(1_000);
    expect(search.visited).toBe(50);
    expect(search.stopped).toBe('stopped after 50 nodes');
  });

  it('leaves out a table that alone would pass the limit, and counts it', () => {
    const table = new Node('t', 't', {
      type: 'struct entry[1000]',
      children: () => {
        throw new Error('this table must not be opened');
      },
    });
    const search = new TreeSearch('nothing', closedTree([...make([3, 3]), table]), 500);
    while (!search.done) search.step(100);
    expect(search.skipped).toBe(1);
    expect(search.visited).toBe(13);
    expect(search.stopped).toBeNull();
  });

  it('steps through matches around both ends', () => {
    const found = [[1], [2, 0], [4]];
    expect(nextMatch(found, [2], true)).toBe(1);
    expect(nextMatch(found, [4], true)).toBe(0);
    expect(nextMatch(found, [2], false)).toBe(0);
    expect(nextMatch(found, [0], false)).toBe(2);
    expect(nextMatch([], [0], true)).toBeNull();
  });
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { UserError } from '../../src/codec/user-error.js';
import { accept, fails } from '../../src/compat/suppressions.js';
import { parseSuppressions } from '../../src/compat/suppress.js';
import { checkCompat } from '../../src/compat/check.js';
import { releaseSide } from '../../src/compat/release-side.js';

const file = (entries: string): string => `schema: luo-inspect.suppress/1\nsuppress:\n${entries}`;
const parse = (entries: string) => parseSuppressions(file(entries), 'accepted.yaml');

describe('parseSuppressions', () => {
  it('matches rules, paths and addresses, with wildcards', () => {
    const accepted = parse(`
  - { rule: "memfd/*", reason: not used here }
  - { rule: luo/name, path: "incoming/luo/sessions/*", reason: old names }
  - { rule: kho/map, at: "0x1000", reason: known }
  - { rule: "pci/**", path: "**", reason: lab }
`);
    expect(accepted.reasonFor({ rule: 'memfd/seals', path: null, at: null })).toBe('not used here');
    expect(accepted.reasonFor({ rule: 'memfd/a/b', path: null, at: null })).toBeNull();
    expect(accepted.reasonFor({ rule: 'luo/name', path: 'incoming/luo/sessions/vm-0', at: 1 })).toBe('old names');
    expect(accepted.reasonFor({ rule: 'luo/name', path: 'incoming/luo/sessions/vm-0/files/0x1', at: 1 })).toBeNull();
    expect(accepted.reasonFor({ rule: 'luo/name', path: null, at: null })).toBeNull();
    expect(accepted.reasonFor({ rule: 'kho/map', path: null, at: 0x1000 })).toBe('known');
    expect(accepted.reasonFor({ rule: 'kho/map', path: null, at: 0x1001 })).toBeNull();
    expect(accepted.unused()).toEqual(['pci/** at **']);
  });

  it('takes special characters as they are', () => {
    expect(parse('  - { rule: "a.b+c", reason: x }').reasonFor({ rule: 'aXb+c', path: null, at: null })).toBeNull();
    expect(parse('  - { rule: "a.b+c", reason: x }').reasonFor({ rule: 'a.b+c', path: null, at: null })).toBe('x');
  });

  it.each([
    ['no schema', 'suppress: []', /schema/],
    ['another schema', 'schema: other/1\nsuppress: []', /schema/],
    ['no list', 'schema: luo-inspect.suppress/1\nsuppress: 3', /no list/],
    ['an unknown key', 'schema: luo-inspect.suppress/1\nsuppress: []\nmore: 1', /"more"/],
    ['no reason', file('  - { rule: a }'), /suppress\[0\]: reason is missing/],
    ['no rule', file('  - { reason: a }'), /suppress\[0\]: rule is missing/],
    ['an unknown key of an entry', file('  - { rule: a, reason: b, until: never }'), /"until"/],
    ['no address', file('  - { rule: a, reason: b, at: here }'), /at is no address/],
    ['broken YAML', 'schema: [', /accepted\.yaml:1:\d+/],
  ])('refuses %s', (_, text, message) => {
    expect(() => parseSuppressions(text, 'accepted.yaml')).toThrow(message);
    expect(() => parseSuppressions(text, 'accepted.yaml')).toThrow(UserError);
  });

  it('reads or explains any text', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 200 }), (text) => {
        try {
          parseSuppressions(text, 'x');
        } catch (error) {
          expect(error).toBeInstanceOf(UserError);
        }
      }),
    );
  });
});

describe('accepted findings of a check', () => {
  const result = checkCompat(releaseSide('6.17.8'), releaseSide('6.18'));

  it('stay in the list and count no more', () => {
    const accepted = accept(
      result,
      parse('  - { rule: compat/kho, reason: machines are rebooted anyway }\n  - { rule: compat/layout-changed, reason: known }'),
    );
    expect(accepted.layers[0]).toMatchObject({ outcome: 'panic', suppressed: 'machines are rebooted anyway' });
    expect(accepted.verdict).toBe('compatible');
    expect(fails(accepted, 'error')).toBe(false);
    expect(accepted.layers).toHaveLength(result.layers.length);
  });

  it('count as long as one of them is not accepted', () => {
    const accepted = accept(result, parse('  - { rule: compat/kho, reason: x }'));
    expect(accepted.verdict).toBe('incompatible');
    expect(fails(accepted, 'error')).toBe(true);
  });

  it('fail by severity', () => {
    const clean = checkCompat(releaseSide('7.3'), releaseSide('7.3'));
    for (const level of ['error', 'warning', 'info'] as const) expect(fails(clean, level), level).toBe(false);
    const remarks = checkCompat(releaseSide('6.18'), releaseSide('6.19'));
    expect(fails(remarks, 'error')).toBe(false);
    expect(fails(remarks, 'info')).toBe(true);
  });
});

it('a key that is there twice is refused, with its place; many keys cost no more than few', () => {
  expect(() => parseSuppressions('schema: luo-inspect.suppress/1\nsuppress: []\nsuppress: []\n', 'x.yaml')).toThrow(
    /^x\.yaml:3:1: the key "suppress" is there twice/,
  );
  const many = Array.from({ length: 5000 }, (_, key) => `k${key}: 1\n`).join('');
  expect(() => parseSuppressions(`schema: luo-inspect.suppress/1\n${many}`, 'x.yaml')).toThrow(/the key "k0" is not known/);
});

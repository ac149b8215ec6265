/** The rules as a catalogue: ids that stay, texts that say something. */
import { expect, it } from 'vitest';
import { rules } from '../../src/diagnosis/rules/index.js';
import { ruleListJson, ruleText } from '../../src/report/rules-text.js';

it('has unique ids of the form family/what', () => {
  const ids = rules.map((rule) => rule.id);
  expect(new Set(ids).size).toBe(ids.length);
  for (const id of ids) expect(id).toMatch(/^[a-z]+(-[a-z0-9]+)*\/[a-z0-9.]+(-[a-z0-9.]+)*$/);
});

it('explains every rule: what it means, what happens, how to make sure, and where that was read', () => {
  for (const rule of rules) {
    expect(rule.title.length).toBeGreaterThan(15);
    expect(rule.about.length).toBeGreaterThan(20);
    expect(rule.confirm.length).toBeGreaterThan(10);
    expect(rule.sources.length).toBeGreaterThan(0);
    expect(ruleText(rule).join('\n')).toContain(rule.about);
  }
});

it('says what the next kernel does wherever a finding is an error', () => {
  expect(rules.filter((rule) => rule.severity === 'error' && rule.reaction === null).map((rule) => rule.id)).toEqual([]);
});

it('has every family', () => {
  const families = new Set(rules.map((rule) => rule.id.split('/')[0]));
  for (const family of [
    'kho',
    'luo',
    'blocks',
    'session',
    'file',
    'flb',
    'memfd',
    'vmalloc',
    'vfio',
    'pci',
    'memblock',
    'kexec-metadata',
    'scratch',
    'moment',
    'log',
  ])
    expect(families).toContain(family);
});

it('is JSON, too', () => {
  expect(ruleListJson(rules)).toMatchObject({
    schema: 'luo-inspect.rules/1',
    rules: expect.arrayContaining([expect.objectContaining({ id: 'memfd/seals-unknown', severity: 'error' })]),
  });
});

/** What the commands print with --json, against the schemas that ship: samples/output.schema.json. */
import { readFileSync } from 'node:fs';
import Ajv from 'ajv';
import { describe, expect, it } from 'vitest';
import { luoInspect } from './run.js';

const schema = JSON.parse(readFileSync('samples/output.schema.json', 'utf8'));
const ajv = new Ajv.default({ allowUnionTypes: true });
ajv.addSchema(schema, 'output');

/** Holds each line, or the whole, against a definition. */
function holds(definition: string, args: readonly string[], lines = false): void {
  const { stdout, status } = luoInspect(args);
  expect(status, args.join(' ')).toBeLessThan(2);
  const documents = lines ? stdout.trim().split('\n') : [stdout];
  const validate = ajv.getSchema(`output#/definitions/${definition}`);
  for (const document of documents) {
    validate?.(JSON.parse(document));
    expect(validate?.errors ?? null, args.join(' ')).toBeNull();
  }
}

const DUMPS = [
  'handover-7.3/s1-frozen',
  'handover-7.3/s2-boot',
  'handover-7.1/s2-at-kho_memory_init',
  'handover-6.18/s1-frozen',
  'vfio-7.3/s1-frozen',
  'failed/seals/s2-at-kho_memory_init',
  'failed/pfn/s1-frozen',
];

describe('JSON of', () => {
  it.each(DUMPS)('report and diagnose of %s', (dump) => {
    holds('report', ['report', dump, '--json', '--no-log']);
    holds('findings', ['diagnose', dump, '--json', '--no-log', '--fail-on', 'error']);
  });

  it('diff, ledger, whatis', () => {
    holds('diff', ['diff', 'vfio-7.3/s1-frozen', 'vfio-7.3/s2-at-kho_memory_init', '--json']);
    holds('ledger', ['ledger', 'handover-7.3/s1-frozen', '--json']);
    holds('whatis', ['whatis', 'handover-7.3/s1-frozen', '0x101000', '--json']);
  });

  it('abi check, kvm, rules', () => {
    holds('compat', ['abi', 'check', '--from', '7.1', '--to', '7.3', '--json']);
    holds('compat', ['abi', 'check', '--from', 'handover-7.3/s1-frozen', '--to', '7.3', '--json']);
    holds('kvm', ['kvm', '03-io-out-4', '--json']);
    holds('rules', ['rules', '--json']);
  });

  it('triage, a line each', () => {
    holds('triage', ['triage', 'handover-7.3/s1-frozen', 'failed/seals/s2-at-kho_memory_init', '--ndjson'], true);
  });

  it('sim, a line each', () => {
    const lines = luoInspect(['sim', 'memfd-life', '--json']).stdout.trim().split('\n');
    const validate = (name: string, line: string): unknown => {
      const check = ajv.getSchema(`output#/definitions/${name}`);
      check?.(JSON.parse(line));
      return check?.errors ?? null;
    };
    for (const line of lines.slice(0, -1)) expect(validate('simStep', line)).toBeNull();
    expect(validate('simEnd', lines.at(-1) ?? '')).toBeNull();
  });

  it('the schema refuses what is none', () => {
    const validate = ajv.getSchema('output#/definitions/finding');
    expect(validate?.({ rule: 'x' })).toBe(false);
  });
});

it('JSON of log', () => holds('log', ['log', 'test/fixtures/objects/objects-7.3-s2-partly.elf.xz', '--json']));

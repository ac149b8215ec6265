/** What the commands print with --json, against the schemas that ship: samples/output.schema.json. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Ajv from 'ajv';
import { describe, expect, it } from 'vitest';
import { luoInspect } from './run.js';
import { ALL } from '../extent.js';

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

describe('JSON of the rest', () => {
  it.each([
    ['abiList', ['abi', 'list', '--json']],
    ...['luo_ser', 'luo_session_ser@luo-v1', 'memfd_luo_ser@memfd-v1', 'kvm_run', 'kho_vmalloc_chunk', 'kho_scratch', 'pci_ser'].map(
      (name) => ['abiShow', ['abi', 'show', name, '--json']] as const,
    ),
    ['abiDiff', ['abi', 'diff', '6.19', '7.2', '--json']],
    ['abiDiff', ['abi', 'diff', '7.0', 'handover-7.3/s1-frozen', '--json']],
    ['abiDiff', ['abi', 'diff', 'memfd-v1', 'memfd-v2', '--json']],
    ['explore', ['explore', ALL ? 'early-finish' : 'memfd-life', '--json']],
    ['kvmTimeline', ['kvm', 'samples/kvm', '--json']],
    ['decode', ['decode', 'handover-7.3/s1-frozen', '--as', 'memfd_luo_ser@memfd-v2', '--at', '0x409c000', '--json']],
    ['decode', ['decode', 'handover-7.3/s1-frozen', '--as', 'luo_ser', '--at', '0x3fc0000', '--count', '2', '--json']],
  ] as const)('%s: %s', (definition, args) => holds(definition, args));

  it('abi lock, and abi gate against it', () => {
    const folder = mkdtempSync(join(tmpdir(), 'luo-inspect-test-'));
    const tree = (name: string, second: string): string => {
      const headers = join(folder, name, 'include/linux/kho/abi');
      mkdirSync(headers, { recursive: true });
      writeFileSync(
        join(headers, 'thing.h'),
        `#ifndef _THING_H\n#define _THING_H\n#define THING_COMPATIBLE "thing-v1"\nstruct thing_ser {\n\tu64 first;\n\t${second} second;\n} __packed;\n#endif\n`,
      );
      return join(folder, name);
    };
    const lock = join(folder, 'lock.json');
    holds('abiLock', ['abi', 'lock', tree('a', 'u32')]);
    luoInspect(['abi', 'lock', tree('a', 'u32'), '-o', lock]);
    holds('abiGate', ['abi', 'gate', tree('b', 'u64'), '--lock', lock, '--json']);
    rmSync(folder, { recursive: true });
  });

  it('preflight, whatever it finds', () => {
    const check = ajv.getSchema('output#/definitions/preflight');
    for (const args of [[], ['--root', 'samples/handover-7.3/s1-preserved-kho']]) {
      check?.(JSON.parse(luoInspect(['preflight', ...args, '--json']).stdout));
      expect(check?.errors ?? null).toBeNull();
    }
  });

  it('step and simulated KVM, a line each', () => {
    for (const args of [
      ['step', 'failed/seals/s2-at-kho_memory_init', '--json'],
      ['sim', 'kvm-exits', '--json'],
    ]) {
      const lines = luoInspect(args).stdout.trim().split('\n');
      const check = ajv.getSchema('output#/definitions/simStep');
      for (const line of lines.slice(0, -1)) {
        check?.(JSON.parse(line));
        expect(check?.errors ?? null, line).toBeNull();
      }
      const end = ajv.getSchema('output#/definitions/simEnd');
      end?.(JSON.parse(lines.at(-1) ?? ''));
      expect(end?.errors ?? null).toBeNull();
    }
  });

  it('every schema that the sources name is described', () => {
    const text = JSON.stringify(schema);
    const files = new Set(['scenario', 'suppress', 'contract', 'live', 'capture', 'report-lines']);
    for (const name of namesOfSchemas('src')) if (!files.has(name)) expect(text, name).toContain(`"const":"luo-inspect.${name}/1"`);
  });
});

/** Names in `luo-inspect.<name>/1` of all sources. */
function namesOfSchemas(folder: string): ReadonlySet<string> {
  const found = new Set<string>();
  for (const entry of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    if (!entry.endsWith('.ts')) continue;
    for (const [, name] of readFileSync(join(folder, entry), 'utf8').matchAll(/luo-inspect\.([a-z-]+)\/1/g)) if (name !== undefined) found.add(name);
  }
  return found;
}

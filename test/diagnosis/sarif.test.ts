/** SARIF output against the published schema of SARIF 2.1.0 (as @microsoft/jest-sarif carries it). */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import Ajv from 'ajv-draft-04';
import { expect, it } from 'vitest';
import { loadDump } from '../../src/cli/load-dump.js';
import { rules } from '../../src/diagnosis/rules/index.js';
import { sarif } from '../../src/report/sarif.js';

const schemaFile = createRequire(import.meta.url).resolve('@microsoft/jest-sarif/lib/schemas/sarif-2.1.0-rtm.5.json');
const schema: unknown = JSON.parse(readFileSync(schemaFile, 'utf8'));
const formats = {
  uri: (text: string): boolean => URL.canParse(text),
  'uri-reference': (text: string): boolean => URL.canParse(text, 'file:///base/'),
  'date-time': /^\d{4}-\d\d-\d\dT/,
};
const ajv = new Ajv.default({ strict: false, allErrors: true, unicodeRegExp: false, formats });

function errors(log: unknown): readonly unknown[] {
  if (typeof schema !== 'object' || schema === null) throw new Error('no schema');
  const validate = ajv.compile(schema);
  validate(log);
  return validate.errors ?? [];
}

async function logOf(path: string, accept: (rule: string) => boolean): Promise<ReturnType<typeof sarif>> {
  const { opened, report } = await loadDump(path);
  opened.close();
  return sarif({
    source: path,
    version: '0.1.0',
    findings: report.findings.filter((finding) => !accept(finding.rule)),
    accepted: report.findings.filter((finding) => accept(finding.rule)).map((finding) => ({ finding, reason: 'known' })),
    rules,
  });
}

it.each(['samples/failed/pfn/s1-frozen.sparse.elf.xz', 'samples/handover-7.3/s2-boot-kho', 'samples/vfio-7.3/s1-frozen.sparse.elf.xz'])(
  '%s is valid',
  async (path) => {
    expect(errors(await logOf(path, () => false))).toEqual([]);
  },
);

it('names rule, level, address, path, reaction and suppression of a finding', async () => {
  const log = await logOf('samples/failed/seals/s1-frozen.sparse.elf.xz', (rule) => rule.startsWith('dump/'));
  expect(errors(log)).toEqual([]);
  const text = JSON.stringify(log);
  const result: unknown = Array.isArray(log.runs) ? log.runs[0] : null;
  expect(result).toMatchObject({
    tool: { driver: { name: 'luo-inspect', rules: expect.arrayContaining([expect.objectContaining({ id: 'memfd/seals-unknown' })]) } },
  });
  expect(firstResult(log)).toMatchObject({
    ruleId: 'memfd/seals-unknown',
    ruleIndex: rules.findIndex((rule) => rule.id === 'memfd/seals-unknown'),
    level: 'error',
    locations: [
      {
        physicalLocation: { address: { absoluteAddress: 0x429f010 }, artifactLocation: { uri: 'samples/failed/seals/s1-frozen.sparse.elf.xz' } },
        logicalLocations: [{ fullyQualifiedName: 'outgoing/luo/sessions/web/files/0x1/memfd_luo_ser/seals' }],
      },
    ],
    properties: { reaction: { kind: 'retrieve-fails', errno: 'EOPNOTSUPP' } },
  });
  expect(text).toContain('"suppressions":[{"kind":"external","justification":"known"}]');
});

function firstResult(log: ReturnType<typeof sarif>): unknown {
  const run: unknown = Array.isArray(log.runs) ? log.runs[0] : null;
  const results = typeof run === 'object' && run !== null && 'results' in run ? run.results : null;
  return Array.isArray(results) ? results[0] : null;
}

it('is told from a log that is not SARIF', () => {
  expect(errors({ version: '2.1.0' }).length).toBeGreaterThan(0);
  expect(errors({ version: '2.1.0', runs: [{ tool: {}, results: [{}] }] }).length).toBeGreaterThan(0);
});

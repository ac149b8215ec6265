/**
 * Kernel objects in dumps of running kernels, held against what the guest drove them to (truth.json). The dumps are captures cut down to
 * the pages that a report reads (see test/fixtures/objects/make.ts).
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { checkObjects } from '../../tools/captures/check-folder.js';
import { Truth } from '../../tools/captures/json-path.js';
import { loadDump } from '../../src/cli/load-dump.js';
import { EngineClient } from '../../src/engine/client.js';
import { parseScenario } from '../../src/engine/scenario/parse.js';
import { compareDumps } from '../../src/handover/compare/compare.js';
import { scenarioOf } from '../../src/objects/scenario.js';
import { reportJson } from '../../src/report/report-json.js';
import { fires } from '../diagnosis/fires.js';

const FOLDER = 'test/fixtures/objects';
const truth = Truth.parse(readFileSync(join(FOLDER, 'truth.json'), 'utf8'));
const load = (name: string) => loadDump(join(FOLDER, `${name}.elf.xz`), {});

describe.each(truth.keys())('%s', (name) => {
  it('is as the guest had it: sessions, states, phases, sizes, seals, positions, names', async () => {
    const { opened, report, objects } = await load(name);
    const { differences } = checkObjects(report, truth.at(name));
    expect(differences.all).toEqual([]);
    expect(differences.compared).toBeGreaterThan(4);
    expect(objects.troubles).toEqual([]);
    expect(objects.missing).toEqual([]);
    expect(objects.facts).toMatchObject({ symbols: { source: 'kallsyms', variables: true } });
    expect(objects.facts?.taskCount).toBeGreaterThan(30);
    opened.close();
  });

  it('every node of the objects can be opened', async () => {
    const { opened, report } = await load(name);
    let count = 0;
    const open = (node: { children(): readonly { children(): readonly unknown[] }[] }, depth: number): void => {
      count++;
      if (depth < 8 && count < 20_000) for (const child of node.children()) open(child as typeof node, depth + 1);
    };
    for (const handover of report.handovers) open(handover.node as never, 0);
    expect(count).toBeGreaterThan(100);
    opened.close();
  });
});

it('names the findings that follow', async () => {
  const rulesOf = async (name: string) => {
    const { opened, report } = await load(name);
    opened.close();
    return { rules: report.findings.map(({ rule }) => rule), verdict: report.verdict, findings: report.findings };
  };
  const preserved = await rulesOf('objects-7.3-s1-preserved');
  fires('live/not-frozen', preserved.rules);
  const partly = await rulesOf('objects-7.3-s2-partly');
  fires('live/not-retrieved', partly.rules);
  expect(partly.rules.filter((rule) => rule === 'live/not-retrieved')).toHaveLength(4);
  expect(partly.verdict).toMatchObject({ kind: 'taken-over', foretoldBy: 'objects', files: { total: 6, comeBack: 1, fail: 0 } });
  const seals = await rulesOf('objects-7.3-seals-s2-partly');
  expect(seals.verdict).toMatchObject({ kind: 'retrieve-fails', errno: 'EOPNOTSUPP', foretoldBy: 'objects' });
  fires('live/retrieve-failed', seals.rules);
  expect(seals.findings.find(({ rule }) => rule === 'live/retrieve-failed')).toMatchObject({
    path: 'incoming/luo/sessions/vm-web/files/0x1',
    reaction: { kind: 'retrieve-fails', errno: 'EOPNOTSUPP', foretoldBy: 'objects' },
  });
  const open = await rulesOf('objects-7.3-open-fails-s2-opened');
  expect(open.verdict).toMatchObject({ kind: 'open-fails', errno: 'EIO', foretoldBy: 'objects' });
  fires('live/open-failed', open.rules);
});

it('says who has what open: a child, and a thread whose leader has ended', async () => {
  const { opened, report } = await load('several-processes');
  opened.close();
  const sessions = report.handovers.flatMap(({ luo }) => luo?.sessions ?? []);
  expect(sessions.map(({ name, life }) => [name.text, life?.openBy])).toEqual([
    ['vm-a', [{ pid: 38, comm: 'keeper', fd: 8 }]],
    ['vm-b', [{ pid: 37, comm: 'init', fd: 10 }]],
    ['none', []],
  ]);
});

it('a panic in the next kernel: what panicked, and the incoming objects as far as they had come', async () => {
  const { opened, report } = await load('panic-in-retrieve');
  opened.close();
  const { findings, verdict } = report;
  expect(verdict).toMatchObject({ kind: 'panic', errno: null, foretoldBy: 'log', files: { total: 6, comeBack: 0, fail: 1 } });
  expect(verdict.text).toMatch(
    /unable to handle page fault.*in init\[1\] on CPU 0; memfd_luo_retrieve\+0x172.*before that, session "vm-a", token 0x1 could not be retrieved/,
  );
  expect(findings[0]).toMatchObject({ rule: 'live/panicked', reaction: { kind: 'panic', foretoldBy: 'log' } });
  expect(findings[0]?.message).toContain('memfd_luo_retrieve+0x172/0x440 < luo_retrieve_file+0xc1/0x1f0 < luo_session_retrieve_fd+0x64/0xf0');
  expect(findings.find(({ rule }) => rule === 'live/retrieve-failed')).toMatchObject({ path: 'incoming/luo/sessions/vm-a/files/0x1' });
});

it('the JSON says where it was read, and who has what open', async () => {
  const { opened, report } = await load('objects-7.3-s2-partly');
  const json = new Truth(reportJson(report));
  opened.close();
  expect(json.at('handovers', 0, 'luo', 'source').text()).toBe('kernel-objects');
  expect(json.at('handovers', 0, 'luo', 'sessions', 0, 'state').text()).toBe('retrieved');
  expect(json.at('handovers', 0, 'luo', 'sessions', 0, 'openBy', 0, 'comm').text()).toBe('init');
  expect(json.at('handovers', 0, 'luo', 'sessions', 0, 'files', 0).toString()).toContain('"phase":"retrieved","retrieveStatus":1');
  expect(json.at('kernel', 'kaslr').text()).toBe('0x29600000');
  expect(json.at('kernel', 'taskCount').number()).toBe(43);
  expect(json.at('kernel', 'uptime').number()).toBe(2);
  expect(json.at('kernel', 'kho').toString()).toContain(
    '"incomingFdt":"0x126c000","outgoingFdt":"0x163e000","finalised":null,"previousRelease":"7.3.4","kexecCount":1',
  );
  expect(json.at('kernel', 'liveupdate').toString()).toBe('{"deserialised":true,"deserialiseError":0}');
});

it.each(['objects-7.3-s2-partly', 'objects-7.3-seals-s2-partly', 'objects-7.3-s1-preserved'])('%s: the engine goes on from its objects', async (name) => {
  const { opened, objects } = await load(name);
  const scenario = objects.live === null ? null : scenarioOf(objects.live, { release: '7.3', arch: 'x86_64', pageSize: 4096 });
  opened.close();
  const client = EngineClient.ofScenario(parseScenario(scenario?.text ?? '', name));
  client.toEnd();
  expect(client.end).toMatchObject({ outcome: 'finished', expectationsMet: true });
  expect(scenario?.reached).toBeGreaterThan(5);
});

it('two moments of one update are joined by name and token', async () => {
  const [before, after] = [await load('objects-7.3-s1-preserved'), await load('objects-7.3-s2-partly')];
  const comparison = compareDumps(before.report.decoded, after.report.decoded, after.objects.live?.openPages ?? null);
  expect(comparison?.fates.map(({ session, token, fate }) => `${session} 0x${token.toString(16)} ${fate}`)).toEqual([
    'vm-web 0x1 came-back',
    'vm-web 0x2 waiting',
    'vm-web 0xfeed waiting',
    'vm-db 0x1 waiting',
    'vm-db 0x9 waiting',
    'vm-idle 0x3 waiting',
  ]);
  expect(comparison?.differences.filter(({ change }) => change === 'lost' || change === 'changed')).toEqual([]);
  before.opened.close();
  after.opened.close();
});

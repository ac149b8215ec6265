/** Labels from what user space recorded: systemd's mapping as v261 writes it, nanovmm's state, session names. The JSON is hostile input. */
import { describe, expect, it } from 'vitest';
import { nvmmState } from '../../abi/user-space/nanovmm-v3.js';
import { encodeStruct } from '../../src/codec/encode.js';
import { diagnose } from '../../src/diagnosis/diagnose.js';
import { EngineClient } from '../../src/engine/client.js';
import { parseScenario, readScenario } from '../../src/engine/scenario/parse.js';
import type { Scenario } from '../../src/engine/scenario/types.js';
import { type Handover, decodeHandovers } from '../../src/handover/decode.js';
import { nvmmStateOf } from '../../src/handover/owners/owners.js';
import { lostEntries, parseMapping } from '../../src/handover/owners/systemd.js';
import { fires } from '../diagnosis/fires.js';

function frozen(scenario: Scenario): Handover {
  const client = EngineClient.ofScenario(scenario);
  client.toEnd();
  const step = client.moments.find(({ moment }) => moment === 'frozen')?.step;
  if (step === undefined) throw new Error('never frozen');
  const [handover] = decodeHandovers({ memory: client.imageAtStep(step).memory, runningRelease: '7.3.4' }).handovers;
  if (handover === undefined) throw new Error('no handover');
  return handover;
}

const labels = (handover: Handover) => Object.fromEntries([...handover.owners.byPath].map(([path, owner]) => [path.replace(/^.*sessions\//, ''), owner]));

/** A scenario with session systemd: files with these tokens, and a mapping in token 0. */
const systemd = (tokens: readonly number[], mapping: string): Scenario =>
  parseScenario(
    JSON.stringify({
      schema: 'luo-inspect.scenario/1',
      title: 'systemd',
      kernels: ['7.3', '7.3'],
      steps: [
        { do: 'open', as: 'luo' },
        { do: 'create-session', name: 'systemd', as: 's' },
        ...tokens.flatMap((token) => [
          { do: 'memfd', as: `f${token}`, size: '4KiB', fill: [{ page: 0, pages: 1, seed: token }] },
          { do: 'preserve', session: 's', fd: `f${token}`, token },
        ]),
        { do: 'memfd', as: 'mapping', size: mapping.length, writes: [{ offset: 0, data: mapping }] },
        { do: 'preserve', session: 's', fd: 'mapping', token: 0 },
        { do: 'kexec' },
      ],
    }),
    'systemd.yaml',
  );

const unit = (name: string, entries: readonly unknown[]) => ({ [name]: { fdstore: entries } });

describe("systemd's mapping", () => {
  it('names the unit of every file, and of a session of its own', async () => {
    const handover = frozen(await readScenario('samples/scenarios/systemd-fd-store.yaml'));
    expect(labels(handover)).toMatchObject({
      systemd: { kind: 'systemd' },
      'systemd/files/0x0': { kind: 'systemd' },
      'systemd/files/0x1': { kind: 'unit', name: 'cache.service', detail: 'fd store "cache"' },
      'systemd/files/0x2': { kind: 'unit', name: 'vmm@7.service', detail: 'fd store "state"' },
      'vm-7': { kind: 'unit', name: 'vmm@7.service', detail: 'fd store "ram"' },
      'vm-7/files/0x1': { kind: 'unit', name: 'vmm@7.service', detail: 'session "vm-7"' },
    });
    expect(handover.owners.problems).toEqual([]);
    expect(handover.owners.systemd).toMatchObject({ version: 1, kexecsCount: 1 });
  });

  it('a token without a file, a file without a mapping, a session that is not there: a finding each', () => {
    const mapping = JSON.stringify({
      version: 1,
      units: unit('a.service', [
        { type: 'fd', name: 'one', token: 1 },
        { type: 'fd', name: 'nine', token: 9 },
        { type: 'luo_session', name: 'vm', sessionName: 'vm-1' },
      ]),
    });
    const client = EngineClient.ofScenario(systemd([1, 5], mapping));
    client.toEnd();
    const step = client.moments.find(({ moment }) => moment === 'frozen')?.step ?? 0;
    const findings = diagnose(decodeHandovers({ memory: client.imageAtStep(step).memory, runningRelease: '7.3.4' })).filter(({ rule }) =>
      rule.startsWith('owner/'),
    );
    expect(findings).toHaveLength(3);
    const ids = findings.map(({ rule }) => rule);
    fires('owner/file-without-mapping', ids);
    fires('owner/session-missing', ids);
    fires('owner/token-without-file', ids);
    const unmapped = findings.find(({ rule }) => rule === 'owner/file-without-mapping');
    expect(unmapped?.path).toMatch(/systemd\/files\/0x5$/);
    expect(findings.find(({ rule }) => rule === 'owner/token-without-file')).toMatchObject({
      owner: { kind: 'systemd' },
      message: expect.stringContaining('0x9'),
    });
  });

  it.each([
    ['nothing', '', /no JSON/],
    ['a list', '[]', /no object/],
    ['a later version', '{"version":2,"units":{}}', /unsupported version 2/],
    ['units that are a list', '{"version":1,"units":[]}', /no object `units`/],
    ['half of it', '{"version":1,"units":{"a', /no JSON/],
  ])('%s is a problem, not a mapping', (_, text, why) => {
    const { mapping, problems } = parseMapping(text);
    expect(mapping).toBeNull();
    expect(problems[0]).toMatch(why);
  });

  it('takes nothing that does not fit', () => {
    const entries = [
      { type: 'fd', name: 'x', token: 1.5 },
      { type: 'fd', name: 'x', token: 0 },
      { type: 'fd', name: 'x', token: 2 ** 60 },
      { type: 'fd', name: 'x', token: '3' },
      { type: 'luo_session', name: 'x' },
      null,
      7,
      { type: 'fd', token: 4 },
    ];
    const { mapping, problems } = parseMapping(
      JSON.stringify({ version: 1, extra: {}, state: { kexecsCount: 'many' }, units: { ...unit('a', entries), b: 7 } }),
    );
    expect(mapping).toMatchObject({ kexecsCount: null, entries: [{ unit: 'a', name: '', token: 4n }] });
    expect(problems).toHaveLength(8);
  });

  it('reads format 0, and is not led astray by names', () => {
    const { mapping } = parseMapping('{"__proto__":[{"type":"fd","name":"x","token":1}],"constructor":[{"type":"fd","name":"y","token":2}]}');
    expect(mapping).toMatchObject({ version: 0, entries: [{ unit: '__proto__' }, { unit: 'constructor' }] });
  });

  it('is bounded: too many entries, nesting without end', () => {
    expect(
      parseMapping(
        JSON.stringify({
          version: 1,
          units: unit(
            'a',
            Array.from({ length: 70_000 }, () => ({ type: 'fd', name: '', token: 1 })),
          ),
        }),
      ).mapping,
    ).toBeNull();
    expect(parseMapping('['.repeat(500_000)).mapping).toBeNull();
  });

  it('tells what a nested manager lost on the second kexec', () => {
    const at = (kexecsCount: number, names: readonly string[]) =>
      parseMapping(
        JSON.stringify({
          version: 1,
          state: { kexecsCount },
          units: unit(
            'user@0.service',
            names.map((name, token) => ({ type: 'fd', name, token: token + 1 })),
          ),
        }),
      ).mapping;
    const [first, second] = [at(1, ['a', 'b', 'b']), at(2, ['b'])];
    if (first === null || second === null) throw new Error('no mapping');
    expect(lostEntries(first, second).map(({ name }) => name)).toEqual(['a', 'b']);
    expect(lostEntries(second, first)).toEqual([]);
  });
});

describe('nanovmm', () => {
  const state = encodeStruct(nvmmState, {
    magic: 0x4e564d4d53544154n,
    version: 3,
    nr_vcpus: 2,
    mem_size: 64n << 20n,
    struct_size: 64,
    flags: 1,
    suspend_realtime_ns: 1n,
    suspend_monotonic_ns: 2n,
    sequence: 3n,
    hw_timestamp: 4n,
  });

  it('has a state of 64 bytes that starts TATSMMVN', () => {
    expect(state).toHaveLength(64);
    expect(Buffer.from(state.subarray(0, 8)).toString()).toBe('TATSMMVN');
    expect(nvmmStateOf(state)).toMatchObject({ nr_vcpus: 2 });
    expect(nvmmStateOf(state.subarray(0, 63))).toBeNull();
  });

  it('labels its session and files by the state, not by a token alone', () => {
    const scenario = (contents: Uint8Array) =>
      parseScenario(
        JSON.stringify({
          schema: 'luo-inspect.scenario/1',
          title: 'nanovmm',
          kernels: ['7.3', '7.3'],
          steps: [
            { do: 'open', as: 'luo' },
            { do: 'create-session', name: 'guest', as: 's' },
            { do: 'memfd', as: 'ram', size: '64KiB', fill: [{ page: 0, pages: 16, seed: 1 }] },
            { do: 'preserve', session: 's', fd: 'ram', token: 0x1001 },
            { do: 'memfd', as: 'state', size: 4096, writes: [{ offset: 0, data: { hex: Buffer.from(contents).toString('hex') } }] },
            { do: 'preserve', session: 's', fd: 'state', token: 0x2000 },
            { do: 'kexec' },
          ],
        }),
        'nanovmm.yaml',
      );
    expect(labels(frozen(scenario(state)))).toMatchObject({
      guest: { kind: 'vm', detail: 'nanovmm, 2 vCPUs' },
      'guest/files/0x1001': { kind: 'vm', name: 'guest', detail: 'guest memory, 64 MiB' },
      'guest/files/0x2000': { detail: 'state of nanovmm, version 3, 2 vCPUs' },
    });
    expect(labels(frozen(scenario(state.map((byte) => byte ^ 1))))).toEqual({});
  });
});

/** The next kernel boots on real dumps, healthy and damaged, and ends as the real kernel did: same errno to the same call, same panic, same console lines. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { openDump } from '../../src/container/open.js';
import { type DumpStart, EngineClient, type Step } from '../../src/engine/client.js';
import { scenarioOfDump } from '../../src/engine/run/continuation.js';
import { decodeHandovers } from '../../src/handover/decode.js';
import type { PhysicalMemory } from '../../src/memory/memory.js';

interface Truth {
  readonly kernel_stage2: string;
  readonly cmdline_stage2: string;
  readonly open_stage2?: { readonly errno: string };
  readonly retrieved?: readonly {
    readonly name: string;
    readonly errno: string;
    readonly files: readonly { readonly token: number | string; readonly errno: string }[];
  }[];
  readonly log_stage2?: readonly string[];
}

const sample = (path: string): string => fileURLToPath(new URL(`../../samples/${path}`, import.meta.url));
const truthOf = (capture: string): Truth => JSON.parse(readFileSync(sample(`${capture}/truth.json`), 'utf8'));

const startOf = (fdtAddress: number, other: Partial<DumpStart> = {}): DumpStart => ({
  arch: 'x86_64',
  pageSize: 4096,
  fdtAddress,
  scratch: null,
  release: '7.3',
  kho: true,
  liveupdate: true,
  reserveMem: [],
  devices: [],
  vfio: 'seed',
  steps: null,
  ...other,
});

async function goOn(capture: string, dump: string): Promise<{ readonly client: EngineClient; close(): void }> {
  const opened = await openDump(sample(`${capture}/${dump}.sparse.elf.xz`));
  const truth = truthOf(capture);
  const fdtAddress = decodeHandovers({ memory: opened.memory }).handovers[0]?.candidate.fdtAddress ?? 0;
  const start = startOf(fdtAddress, {
    release: truth.kernel_stage2,
    kho: !truth.cmdline_stage2.includes('kho=off'),
    liveupdate: !truth.cmdline_stage2.includes('liveupdate=off'),
  });
  const client = EngineClient.ofMemory(capture, opened.memory, start);
  client.toEnd();
  return { client, close: () => opened.close() };
}

const stepsOf = (client: EngineClient): Step[] =>
  Array.from({ length: client.length }, (_, index) => client.stepAt(index + 1)).filter((step): step is Step => step !== null);
const agentSteps = (client: EngineClient): Step[] => stepsOf(client).filter(({ actor }) => actor === 'agent');

/** Lines of KHO, LUO and the handlers that the engine must print too, without time; what the capture's own modules print is not the engine's. */
const SPEAKERS = /^(KHO: (found|setup|disabling|exec)|luo: |memfd_luo: |Kernel panic|liveupdate test: )/;
const spoken = (lines: readonly string[]): string[] => lines.map((line) => line.replace(/^\[ *\d+\.\d+\] /, '')).filter((line) => SPEAKERS.test(line));

const damaged = ['71-to-73', 'count', 'fdt-compat', 'file-compat', 'kho-off', 'liveupdate-off', 'luo-compat', 'pfn', 'seals', 'total-pages'].map(
  (name) => `failed/${name}`,
);
const captures = [...damaged, 'handover-7.3', 'handover-7.1'].flatMap((capture) => ['s1-frozen', 's2-at-kho_memory_init'].map((dump) => ({ capture, dump })));

describe.each(captures)('going on from $capture, $dump', ({ capture, dump }) => {
  it('every call is answered as the real kernel answered it', async () => {
    const truth = truthOf(capture);
    const { client, close } = await goOn(capture, dump);
    const answers = agentSteps(client);
    const open = answers.find((step) => step.op === 'open');
    if (capture === 'failed/luo-compat') {
      expect(client.end?.ending).toBe('panic');
      expect(open).toBeUndefined();
    } else expect(open?.errno ?? '').toBe(truth.open_stage2?.errno);
    const got = client.program.flatMap((step, index) => {
      const answer = answers.find((one) => one.action === index);
      return step.do === 'retrieve' && answer !== undefined ? [`${step.token} ${answer.errno ?? ''}`] : [];
    });
    const expected = (truth.retrieved ?? []).flatMap((session) => session.files.map((one) => `${BigInt(one.token)} ${one.errno}`));
    expect(got).toEqual(expected);
    close();
  });

  const { log_stage2 } = truthOf(capture);
  if (log_stage2 === undefined) return;
  it('the console says what the real one said', async () => {
    const { client, close } = await goOn(capture, dump);
    const real = spoken(log_stage2);
    // A kernel that starts cold registers its test FLBs too; what was handed over is all that a dump tells.
    const cold = client.end?.ending === 'cold-boot';
    const wanted = cold ? real.filter((line) => !line.startsWith('liveupdate test')) : real;
    expect(spoken(client.consoleAt(client.length)).filter((line) => !line.endsWith('finish was triggered'))).toEqual(wanted);
    close();
  });
});

describe.each(['s1-frozen', 's2-at-kho_memory_init'])('going on from handover-6.18, %s: KHO without LUO', (dump) => {
  const regions = [{ name: 'labmem', size: 2 << 20, align: 4096, position: { line: 1, column: 1 } }];

  it('the next kernel reads chunks and bitmaps, revives the region and keeps all that was preserved', async () => {
    const opened = await openDump(sample(`handover-6.18/${dump}.sparse.elf.xz`));
    const [handover] = decodeHandovers({ memory: opened.memory }).handovers;
    const fdtAddress = handover?.candidate.fdtAddress ?? 0;
    const client = EngineClient.ofMemory('6.18', opened.memory, startOf(fdtAddress, { release: '6.18.15', reserveMem: regions }));
    client.toEnd();
    const walked = stepsOf(client).filter((step) => step.op === 'kho_mem_deserialize');
    expect(walked.reduce((sum, step) => sum + Number(step.args.blocks), 0)).toBe(handover?.map?.summary.blocks);
    const lines = client.consoleAt(client.length);
    expect(lines.slice(0, 2)).toEqual(['KHO: found kexec handover data.', "Revived memory reservation 'labmem' from KHO"]);
    // The kernel's own test has run too; its list is not among the pages that this dump holds.
    expect(lines.slice(2)).toEqual([expect.stringMatching(/^unknown: the test of KHO/)]);
    expect(agentSteps(client).map((step) => step.errno)).toEqual(['ENOENT']);
    opened.close();
  });

  it.each(['7.3', '7.1'])('%s refuses it and starts cold', async (release) => {
    const opened = await openDump(sample(`handover-6.18/${dump}.sparse.elf.xz`));
    const fdtAddress = decodeHandovers({ memory: opened.memory }).handovers[0]?.candidate.fdtAddress ?? 0;
    const client = EngineClient.ofMemory('6.18', opened.memory, startOf(fdtAddress, { release }));
    client.toEnd();
    expect(client.end?.ending).toBe('cold-boot');
    opened.close();
  });
});

describe('a dump that lacks a page', () => {
  it('ends with saying which, not with an answer that nobody can know', async () => {
    const opened = await openDump(sample('handover-7.3/s1-frozen.sparse.elf.xz'));
    const [handover] = decodeHandovers({ memory: opened.memory }).handovers;
    const root = handover?.map?.structurePages[0] ?? 0;
    const memory = {
      ...opened.memory,
      pageSize: opened.memory.pageSize,
      readable: opened.memory.readable,
      stateOf: (address: number) => (Math.floor(address / 4096) * 4096 === root ? 'excluded' : opened.memory.stateOf(address)),
      readInto: (address: number, length: number, target: Uint8Array, at?: number) =>
        Math.floor(address / 4096) * 4096 === root ? 0 : opened.memory.readInto(address, length, target, at),
    } as const;
    const client = EngineClient.ofMemory('cut', memory, startOf(handover?.candidate.fdtAddress ?? 0));
    client.toEnd();
    expect(client.end).toMatchObject({ outcome: 'aborted', ending: 'unknown' });
    expect(client.end?.reason).toContain(`0x${root.toString(16)} is not in this dump`);
    opened.close();
  });
});

it('a machine whose memory goes on right after the firmware below 4 GiB has that memory', () => {
  const readable = [
    { start: 0, end: 2 ** 31 },
    { start: 0xfffc0000, end: 2 ** 32 + 2 ** 31 },
  ];
  const memory: PhysicalMemory = { pageSize: 4096, readable, stateOf: () => 'zero', readInto: (_at, length) => length };
  expect(scenarioOfDump('core', memory, startOf(2 ** 32 + 4096)).machine.memory).toBe(2 ** 32 + 2 ** 31);
});

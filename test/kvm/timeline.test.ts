import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { kvmRun, kvmRunS390 } from '../../abi/kvm/run.js';
import { encodeInto } from '../../src/codec/encode.js';
import { UserError } from '../../src/codec/user-error.js';
import { looksLikeKvmRun } from '../../src/kvm/recognise.js';
import { openSnapshotFiles, snapshotsInBytes } from '../../src/kvm/snapshot-files.js';
import { Timeline, type TimelineSummary } from '../../src/kvm/timeline.js';
import { kvmLines } from '../../src/report/kvm-text.js';
import { capture, captureOf, FOLDER, runs } from './captures.js';
import { scratch } from '../scratch.js';

const join3 = (parts: readonly Uint8Array[]): Uint8Array => Buffer.concat(parts);
const summary = (path: string): TimelineSummary => {
  const timeline = new Timeline();
  for (const entry of openSnapshotFiles(path).entries()) timeline.add(entry);
  return timeline.finish();
};
const folder = scratch();
const file = (name: string, bytes: Uint8Array): string => {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
};

describe('several snapshots', () => {
  it('a folder, in the order of its names', () => {
    const files = openSnapshotFiles(FOLDER);
    expect([...files.entries()].map((entry) => [entry.file, entry.snapshot.exitReason])).toEqual(runs.map((run) => [run.file, run.exit_reason]));
    expect(files.skipped).toEqual(['README.md']);
  });

  it("a folder whose kvm.json says what each run returned: which exits are an earlier run's", () => {
    const stale = [...openSnapshotFiles(FOLDER).entries()].map(({ file: name, snapshot }) => [name, snapshot.errno, snapshot.stale]);
    expect(stale).toEqual(runs.map((run) => [run.file, run.errno, run.stale]));
    // What the user says is for all of them.
    expect(new Set([...openSnapshotFiles(FOLDER, { errno: 4 }).entries()].map(({ snapshot }) => snapshot.errno))).toEqual(new Set([4]));
  });

  it('a file of whole mappings: every 12288 bytes', () => {
    const all = join3(runs.map((run) => capture(run.file)));
    const entries = [...openSnapshotFiles(file('mappings', all)).entries()];
    expect(entries.map(({ offset }) => offset)).toEqual(runs.map((_, index) => index * 12288));
    expect(entries.map(({ snapshot }) => snapshot.exitReason)).toEqual(runs.map((run) => run.exit_reason));
    expect(entries[1]?.snapshot.ioData?.bytes).toEqual(Uint8Array.of(0x41));
  });

  it('a file of kvm_run pages alone: every 4096 bytes', () => {
    const pages = join3(runs.map((run) => capture(run.file).subarray(0, 4096)));
    const entries = [...openSnapshotFiles(file('pages', pages)).entries()];
    expect(entries.map(({ snapshot }) => snapshot.exitReason)).toEqual(runs.map((run) => run.exit_reason));
    const three = pages.subarray(0, 12288);
    expect([...openSnapshotFiles(file('three', three)).entries()].length).toBe(3);
  });

  it('one mapping is one snapshot, also cut short', () => {
    for (const length of [12288, 9000, 8192, 4096, 2352, 100]) expect(openSnapshotFiles(file('one', captureOf('io-out-1').subarray(0, length))).count).toBe(1);
  });

  it('--stride decides where it is given', () => {
    expect(openSnapshotFiles(file('given', captureOf('hlt')), { stride: 4096 }).count).toBe(3);
  });

  it('a large page shows where the file is exactly one mapping', () => {
    const bytes = new Uint8Array(131072);
    encodeInto(kvmRun.arm64, { exit_reason: 28, exit: Uint8Array.of(1) }, bytes, 0);
    const [entry] = [...openSnapshotFiles(file('large', bytes)).entries()];
    expect(entry?.snapshot).toMatchObject({ arch: 'arm64', pageSize: 65536, ring: { offset: 65536 } });
  });

  it('says what is wrong with a path', () => {
    expect(() => openSnapshotFiles(join(folder, 'nowhere'))).toThrow(UserError);
    expect(() => openSnapshotFiles(file('empty', new Uint8Array(0)))).toThrow(/empty/);
    expect(() => openSnapshotFiles(join(import.meta.dirname))).toThrow(/no file of this folder/);
  });
});

describe('the same fault again', () => {
  const fault = captureOf('fault-private-read').subarray(0, 4096);
  const other = captureOf('fault-private-exec').subarray(0, 4096);
  const halt = captureOf('hlt').subarray(0, 4096);

  it('is found with its count, and ends where something else happens', () => {
    const { repeats, findings } = summary(file('repeat', join3([halt, fault, fault, fault, other, fault, halt, fault, other, other])));
    expect(repeats.map(({ first, last, count, gpa }) => [first, last, count, gpa])).toEqual([
      [1, 3, 3, 0x10001000n],
      [8, 9, 2, 0x10003000n],
    ]);
    expect(findings.map(({ rule, severity }) => [rule, severity])).toEqual([
      ['kvm.repeated-fault', 'warning'],
      ['kvm.repeated-fault', 'warning'],
    ]);
  });

  it('is none where an immediate exit left it behind, nor where the guest moved on', () => {
    expect(summary(FOLDER).repeats).toEqual([]);
    const moved = (rip: bigint): Uint8Array => {
      const bytes = Uint8Array.from(fault);
      encodeInto(kvmRun.x86_64, { kvm_valid_regs: 1 }, bytes, 0);
      new DataView(bytes.buffer).setBigUint64(304 + 128, rip, true);
      return bytes;
    };
    expect(summary(file('moved', join3([moved(1n), moved(2n)]))).repeats).toEqual([]);
    expect(summary(file('stuck', join3([moved(1n), moved(1n)]))).repeats.length).toBe(1);
  });

  it('stands in the JSON of a timeline', () => {
    const text = [...kvmLines(snapshotsInBytes('pipe', join3([fault, fault])), true)].join('\n');
    expect(JSON.parse(text)).toMatchObject({
      schema: 'luo-inspect.kvm-timeline/1',
      snapshots: [
        { index: 0, offset: 0, exitReason: 39 },
        { index: 1, offset: 4096 },
      ],
      exits: { KVM_EXIT_MEMORY_FAULT: 2 },
      repeats: [{ first: 0, last: 1, count: 2, flags: '0x8', gpa: '0x10001000', size: 4096 }],
      findings: [{ rule: 'kvm.repeated-fault' }],
    });
    expect([...kvmLines(snapshotsInBytes('pipe', join3([fault, fault])), false)].join('\n')).toContain('2 times in a row');
  });
});

describe('recognition', () => {
  it('takes nothing else for a kvm_run', () => {
    const of = (bytes: Uint8Array): boolean => looksLikeKvmRun(bytes.subarray(0, 4096), bytes.length);
    expect(of(new Uint8Array(12288))).toBe(false);
    expect(of(new Uint8Array(12288).fill(0xff))).toBe(false);
    expect(of(captureOf('hlt').subarray(0, 12287))).toBe(false);
    expect(of(captureOf('hlt').subarray(0, 2352))).toBe(false);
    const text = Buffer.from('a kvm_run page is not made of text. '.repeat(400)).subarray(0, 12288);
    expect(of(text)).toBe(false);
    const elf = new Uint8Array(8192);
    elf.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
    expect(of(elf)).toBe(false);
    // Small numbers where the header is, and a page that goes on behind kvm_run: memory.
    const memory = new Uint8Array(8192);
    memory[8] = 6;
    memory[3000] = 1;
    expect(of(memory)).toBe(false);
  });

  it('takes big-endian s390 pages', () => {
    const bytes = new Uint8Array(4096);
    encodeInto(kvmRunS390, { exit_reason: 13, psw_addr: 0x1000 }, bytes, 0, { endian: 'big' });
    expect(looksLikeKvmRun(bytes, 4096)).toBe(true);
  });
});

/**
 * Dumps of a real kernel at chosen moments against the report: several processes hold sessions, a retrieve fails on damage that was written
 * before the first open, and another one ends in a panic. What the report says of each moment is held against what the guest did.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type CaseResult, type LabOptions, withShare } from './case.js';
import { makeDumpGuest, runToDumps } from './dump-machine.js';

const PROGRAM = `boot 1
open
create vm-a
memfd vm-a 0x1 ram 0x40000 2 20 0x6 77
memfd vm-a 0x2 vars 0x3001 2 1 0 0
create vm-b
memfd vm-b 0xfedc big 0x800000 2 700 0 0
create vm-c
memfd vm-c 0x1 ram 0x4000 2 4 0 0
mark s1-preserved
kexec
boot 2
mark s2-boot
open
retrieve-session vm-b
retrieve vm-b 0xfedc
thread leader-ended vm-b
retrieve-session vm-c
retrieve vm-c 0x1
child keeper vm-c
retrieve-session vm-a
retrieve vm-a 0x1
sleep 1
mark s2-partly
retrieve vm-a 0x2
`;

/** Bytes in struct memfd_luo_ser of memfd-v2: seals and nr_folios. */
const DAMAGE = [
  { token: '0x1', offset: 16, bytes: Uint8Array.of(0, 0x0f, 0, 0) },
  { token: '0x2', offset: 24, bytes: Uint8Array.of(0xff, 0xff, 0xff) },
];

/** What the report of each moment must have, each on a line of its own. */
const EXPECTED: Readonly<Record<string, readonly RegExp[]>> = {
  's1-preserved': [
    /session "vm-a", open by init\[1\] .*2 files/,
    /token 0x1 +memfd-v2 +preserved "ram": 262144 bytes .*F_SEAL_SHRINK\|F_SEAL_GROW, position 77/,
    /token 0x2 +memfd-v2 +preserved "vars": 12289 bytes/,
    /token 0xfedc +memfd-v2 +preserved "big": 8388608 bytes/,
  ],
  's2-boot': [/session "vm-a", waiting, 2 files/, /session "vm-b", waiting, 1 file/, /token 0xfedc +memfd-v2 +handed-over: 8388608 bytes/],
  's2-partly': [
    /session "vm-a", retrieved by init\[1\] .*2 files/,
    /session "vm-b", retrieved by init\[\d+\] /,
    /session "vm-c", retrieved by keeper\[\d+\] /,
    /token 0x1 +memfd-v2 +retrieve-failed \(EOPNOTSUPP\)/,
    /token 0xfedc +memfd-v2 +retrieved: 8388608 bytes/,
  ],
  panic: [
    /^the kernel that was handed over to panicked: .*memfd_luo_retrieve\+0x/,
    /live\/panicked.*luo_retrieve_file\+0x/,
    /session "vm-c", retrieved by keeper\[\d+\] /,
    /token 0x1 +memfd-v2 +retrieve-failed \(EOPNOTSUPP\)/,
  ],
};

export async function dumpCase(options: LabOptions): Promise<CaseResult> {
  const bin = join(options.project, 'dist/cli/bin.js');
  const report = (dump: string, ...args: readonly string[]): string =>
    execFileSync(process.execPath, [bin, 'report', dump, ...args], { encoding: 'utf8', maxBuffer: 1 << 28 });
  const folder = mkdtempSync(join(tmpdir(), 'luo-lab-dumps-'));
  try {
    return await withShare(options, async (share) => {
      makeDumpGuest(share, options.project);
      const run = await runToDumps(share, {
        kernel: options.kernel,
        append: 'ignore_loglevel kho=on kho_scratch=64M,4M,4M liveupdate=on init_on_free=1 oops=panic panic=0',
        program: PROGRAM,
        folder,
        seconds: options.seconds,
        damage: async (moment, dump) => {
          if (moment !== 's2-boot') return [];
          const address = addressesOf(report(dump, '--json'), 'vm-a');
          return DAMAGE.map(({ token, offset, bytes }) => ({ physical: (address.get(token) ?? 0) + offset, bytes }));
        },
      });
      const lines: string[] = [];
      let [compared, agreed] = [0, 0];
      for (const [moment, patterns] of Object.entries(EXPECTED)) {
        const dump = run.dumps.get(moment);
        const text = dump === undefined ? [] : report(dump).split('\n');
        if (dump === undefined) lines.push(`${moment}: no dump; the console ended with ${run.console.at(-1) ?? 'nothing'}`);
        for (const pattern of patterns) {
          compared++;
          if (text.some((line) => pattern.test(line))) agreed++;
          else lines.push(`${moment}: no line like ${pattern}`);
        }
      }
      return { lines, compared, agreed };
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Where each file of a session was serialised, from `report --json`. */
function addressesOf(json: string, session: string): ReadonlyMap<string, number> {
  const report = JSON.parse(json) as { handovers: { luo: { sessions: { name: string; files: { token: string; data: string }[] }[] } | null }[] };
  const files = report.handovers.flatMap(({ luo }) => luo?.sessions ?? []).find(({ name }) => name === session)?.files ?? [];
  return new Map(files.map(({ token, data }) => [token, Number(data)]));
}

/**
 * Dumps of a real kernel at chosen moments against the report: several processes hold sessions, a retrieve fails on damage that was written
 * before the first open, and another one ends in a panic. What the report says of each moment is held against what the guest did.
 */
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, mkdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type CaseResult, type LabOptions, withShare } from './case.js';
import { connect, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import type { Share } from './guest.js';
import { qemuArguments } from './qemu.js';
import { atEnd } from '../../src/codec/at-end.js';

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
  using _folder = atEnd(() => rmSync(folder, { recursive: true, force: true }));
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
}

/** Where each file of a session was serialised, from `report --json`. */
function addressesOf(json: string, session: string): ReadonlyMap<string, number> {
  const report = JSON.parse(json) as { handovers: { luo: { sessions: { name: string; files: { token: string; data: string }[] }[] } | null }[] };
  const files = report.handovers.flatMap(({ luo }) => luo?.sessions ?? []).find(({ name }) => name === session)?.files ?? [];
  return new Map(files.map(({ token, data }) => [token, Number(data)]));
}

interface DumpRun {
  /** every line of the console */
  readonly console: readonly string[];
  /** by moment, an ELF core; `panic` where the kernel died */
  readonly dumps: ReadonlyMap<string, string>;
}

interface DumpRunOptions {
  readonly kernel: string;
  readonly append: string;
  readonly program: string;
  readonly memory?: string;
  readonly extra?: readonly string[];
  /** dumps go here */
  readonly folder: string;
  readonly seconds: number;
  /** at a mark, after its dump: bytes to write */
  readonly damage?: (moment: string, dump: string) => Promise<readonly { readonly physical: number; readonly bytes: Uint8Array }[]>;
}

/** Builds the guest and its initramfs in the share. */
function makeDumpGuest(share: Share, project: string): string {
  const root = join(share.path, 'dump-root');
  mkdirSync(join(root, 'dev'), { recursive: true });
  execFileSync('gcc', ['-static', '-O1', '-o', join(root, 'init'), join(project, 'tools/lab/dump-guest.c'), '-lpthread']);
  const initrd = join(share.path, 'dump-initrd.img');
  execFileSync('sh', ['-c', 'find . | cpio -o -H newc --quiet > "$1"', 'sh', initrd], { cwd: root });
  return initrd;
}

/** Runs the program; ends with the guest, at its panic, or when its time is over. */
async function runToDumps(share: Share, options: DumpRunOptions): Promise<DumpRun> {
  writeFileSync(join(share.path, 'program'), options.program);
  const [qmpPath, gdbPath] = [join(share.path, 'qmp'), join(share.path, 'gdb')];
  const extra = ['-qmp', `unix:${qmpPath},server=on,wait=off`, '-gdb', `unix:${gdbPath},server=on,wait=off`, ...(options.extra ?? [])];
  const guest = { ...share, initrd: join(share.path, 'dump-initrd.img') };
  const child = spawn(
    'qemu-system-x86_64',
    qemuArguments(guest, { ...options, memory: options.memory ?? '256M', extra }).filter((one) => one !== '-no-reboot'),
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  const lines: string[] = [];
  const dumps = new Map<string, string>();
  const timer = setTimeout(() => child.kill('SIGKILL'), options.seconds * 1000);
  let qmp: Qmp | null = null;
  for await (const raw of createInterface({ input: child.stdout })) {
    const line = raw.replaceAll('\r', '');
    lines.push(line);
    const mark = /^LAB-MARK (\S+)/.exec(line)?.[1] ?? (/---\[ end Kernel panic/.test(line) ? 'panic' : null);
    if (mark === null) {
      if (line.startsWith('LAB-END')) child.kill('SIGTERM');
      continue;
    }
    qmp ??= await Qmp.open(qmpPath);
    const path = join(options.folder, `${mark}.elf`);
    await qmp.ask('stop');
    await qmp.ask('dump-guest-memory', { paging: false, protocol: `file:${path}` });
    dumps.set(mark, path);
    if (mark === 'panic') {
      child.kill('SIGTERM');
      continue;
    }
    const writes = (await options.damage?.(mark, path)) ?? [];
    if (writes.length > 0) await poke(gdbPath, writes);
    await qmp.ask('cont');
    writeFileSync(join(share.path, `go-${mark}`), '');
  }
  clearTimeout(timer);
  qmp?.close();
  return { console: lines, dumps };
}

/** QEMU's control line: one question, one answer. */
class Qmp {
  readonly #socket: Socket;
  readonly #answers: AsyncIterator<string>;

  private constructor(socket: Socket) {
    this.#socket = socket;
    this.#answers = createInterface({ input: socket })[Symbol.asyncIterator]();
  }

  static async open(path: string): Promise<Qmp> {
    const qmp = new Qmp(await connected(path));
    await qmp.ask('qmp_capabilities');
    return qmp;
  }

  /** @throws Error where QEMU refuses */
  async ask(execute: string, args: object = {}): Promise<void> {
    this.#socket.write(`${JSON.stringify({ execute, arguments: args })}\n`);
    for (;;) {
      const { value, done } = await this.#answers.next();
      if (done === true) throw new Error(`QEMU ended before it answered ${execute}`);
      if (value.startsWith('{"error"') || value.includes('"error": {')) throw new Error(`${execute}: ${value}`);
      if (value.startsWith('{"return"')) return;
    }
  }

  close(): void {
    this.#socket.destroy();
  }
}

async function connected(path: string): Promise<Socket> {
  const socket = connect(path);
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('error', reject);
  });
  return socket;
}

/** Writes physical memory of a stopped guest: the gdb stub's packets, each answered by OK. */
async function poke(path: string, writes: readonly { readonly physical: number; readonly bytes: Uint8Array }[]): Promise<void> {
  const socket = await connected(path);
  const heard: string[] = [];
  socket.on('data', (data) => heard.push(data.toString('latin1')));
  const ask = async (packet: string): Promise<void> => {
    const sum = [...packet].reduce((total, letter) => (total + letter.charCodeAt(0)) & 0xff, 0);
    heard.length = 0;
    socket.write(`$${packet}#${sum.toString(16).padStart(2, '0')}`);
    while (!/\$(.*)#../.test(heard.join(''))) await new Promise((resolve) => setTimeout(resolve, 20));
    socket.write('+');
    if (!heard.join('').includes('$OK#')) throw new Error(`gdb stub: ${packet}: ${heard.join('')}`);
  };
  await ask('Qqemu.PhyMemMode:1');
  for (const { physical, bytes } of writes) await ask(`M${physical.toString(16)},${bytes.length.toString(16)}:${Buffer.from(bytes).toString('hex')}`);
  socket.destroy();
}

/**
 * A guest stopped at the jump, kept: its devices in a file, its memory in another, so that any number of next kernels start from there with
 * bytes changed. A trap at machine_kexec (a jump to itself) holds the first kernel; QEMU moves its state aside without its memory.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { closeSync, copyFileSync, existsSync, mkdirSync, openSync, readFileSync, readSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Socket, createConnection } from 'node:net';
import { createInterface } from 'node:readline';
import { atEnd } from '../../src/codec/at-end.js';

interface SnapshotOptions {
  readonly kernel: string;
  /** the next kernel */
  readonly next: string;
  /** lines of the agent's plan in the first kernel */
  readonly plan: readonly string[];
  /** its plan in the next one; the same unless given */
  readonly nextPlan?: readonly string[];
  /** of both kernels */
  readonly commandLine: string;
  /** of the first kernel alone */
  readonly firstOnly?: string;
  /** MiB */
  readonly memory: number;
  /** an empty folder on a file system in memory; whoever made it removes it */
  readonly folder: string;
  /** the folder of agent.c */
  readonly sources: string;
  readonly seconds: number;
}

export interface Snapshot {
  readonly folder: string;
  readonly memory: number;
  /** an ELF core of the moment */
  readonly core: string;
  /** what the agent said before the jump */
  readonly answers: readonly string[];
  readonly console: readonly string[];
}

/** How a next kernel's run ended: by its own power-off, by a reset (a panic with panic=-1, a triple fault), or not at all. */
type RunEnding = 'off' | 'reset' | 'hang';

export interface NextRun {
  readonly ending: RunEnding;
  readonly answers: readonly string[];
  readonly console: readonly string[];
}

export interface ByteChange {
  /** physical */
  readonly address: number;
  readonly bytes: Uint8Array;
}

const START_KERNEL_MAP = 0xffffffff80000000n;
/** jmp to itself */
const TRAP = Uint8Array.of(0xeb, 0xfe);

/** Boots the first kernel up to the jump. @throws Error where it does not come there */
export async function takeSnapshot(options: SnapshotOptions): Promise<Snapshot> {
  const { folder } = options;
  const initrd = makeInitramfs(options);
  const ram = join(folder, 'ram');
  const child = start(options.memory, folder, [
    '-kernel',
    options.kernel,
    '-initrd',
    initrd,
    '-append',
    `${QUIET} ${options.commandLine} ${options.firstOnly ?? ''}`,
  ]);
  using _child = atEnd(() => child.kill('SIGKILL'));
  const qmp = await Qmp.connect(join(folder, 'qmp'));
  const said = (): readonly string[] => linesOf(join(folder, 'answers'));
  await until(() => said().includes('READY'), options.seconds, 'the first kernel does not come to the jump', folder);
  await qmp.ask('stop');
  const address = BigInt(/^K (0x[0-9a-f]+)/m.exec(said().join('\n'))?.[1] ?? 0);
  if (address < START_KERNEL_MAP) throw new Error(`machine_kexec is at 0x${address.toString(16)}: kallsyms is not readable in the guest`);
  const trap = Number(address - START_KERNEL_MAP);
  const was = readAt(ram, trap, TRAP.length);
  writeAt(ram, [{ address: trap, bytes: TRAP }]);
  await qmp.ask('cont');
  const at = address.toString(16);
  await until(async () => (await qmp.monitor('info registers')).includes(`RIP=${at}`), options.seconds, 'the jump is not made', folder);
  await qmp.ask('stop');
  writeAt(ram, [{ address: trap, bytes: was }]);
  const core = join(folder, 'core');
  await qmp.ask('dump-guest-memory', { paging: false, protocol: `file:${core}` });
  await qmp.ask('migrate-set-capabilities', { capabilities: [{ capability: 'x-ignore-shared', state: true }] });
  await qmp.ask('migrate', { uri: `exec:cat >${join(folder, 'state')}` });
  await qmp.migrated();
  await qmp.ask('quit').catch(() => undefined);
  qmp.close();
  await ended(child);
  return { folder, memory: options.memory, core, answers: said(), console: linesOf(join(folder, 'console')) };
}

/** Lets the next kernel run from the snapshot, with `changes` in its memory, until the guest ends or its time is over. */
export async function runNext(snapshot: Snapshot, changes: readonly ByteChange[], seconds: number): Promise<NextRun> {
  const folder = join(snapshot.folder, 'run');
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder);
  // Sparse: most of a small guest's memory is zeros.
  execFileSync('cp', ['--sparse=always', join(snapshot.folder, 'ram'), join(folder, 'ram')]);
  writeAt(join(folder, 'ram'), changes);
  const child = start(snapshot.memory, folder, ['-incoming', 'defer']);
  let ending: RunEnding = 'hang';
  try {
    const qmp = await Qmp.connect(join(folder, 'qmp'));
    await qmp.ask('migrate-set-capabilities', { capabilities: [{ capability: 'x-ignore-shared', state: true }] });
    await qmp.ask('migrate-incoming', { uri: `exec:cat ${join(snapshot.folder, 'state')}` });
    await qmp.migrated();
    await qmp.ask('cont');
    await Promise.race([ended(child), sleep(seconds * 1000, undefined, { ref: false })]);
    const answers = linesOf(join(folder, 'answers'));
    if (child.exitCode !== null) ending = answers.includes('END') ? 'off' : 'reset';
    qmp.close();
    return { ending, answers, console: linesOf(join(folder, 'console')) };
  } finally {
    child.kill('SIGKILL');
    await ended(child);
  }
}

const QUIET = 'console=ttyS0 panic=-1 no_timer_check nokaslr init_on_free=1';

function start(memory: number, folder: string, more: readonly string[]): ChildProcess {
  return spawn(
    'qemu-system-x86_64',
    [
      ...[
        '-accel',
        'tcg,thread=multi',
        '-M',
        'q35,memory-backend=ram',
        '-cpu',
        'max,la57=off',
        '-m',
        `${memory}M`,
        '-nodefaults',
        '-display',
        'none',
        '-no-reboot',
      ],
      ...['-object', `memory-backend-file,id=ram,size=${memory}M,mem-path=${join(folder, 'ram')},share=on`],
      ...['-serial', `file:${join(folder, 'console')}`, '-serial', `file:${join(folder, 'answers')}`],
      ...['-qmp', `unix:${join(folder, 'qmp')},server=on,wait=off`, '-device', 'vmcoreinfo'],
      ...more,
    ],
    { stdio: ['ignore', 'ignore', 'inherit'] },
  );
}

/** The first kernel's initramfs: the agent, its plan, and under /next the kernel to jump to with an initramfs of the same two. */
function makeInitramfs(options: SnapshotOptions): string {
  const { folder } = options;
  const small = join(folder, 'next-root');
  mkdirSync(small);
  execFileSync('cc', ['-static', '-O1', '-o', join(small, 'init'), join(options.sources, 'agent.c')]);
  const plan = join(small, 'plan');
  writeFileSync(plan, `${(options.nextPlan ?? options.plan).join('\n')}\n`);
  const next = join(folder, 'next.img');
  pack(small, next);
  writeFileSync(plan, `${options.plan.join('\n')}\n`);
  mkdirSync(join(small, 'next'));
  copyFileSync(options.next, join(small, 'next/vmlinuz'));
  copyFileSync(next, join(small, 'next/initrd'));
  writeFileSync(join(small, 'next/cmdline'), `console=ttyS0 panic=-1 no_timer_check nokaslr lab.next ${options.commandLine}\n`);
  const first = join(folder, 'first.img');
  pack(small, first);
  rmSync(small, { recursive: true });
  return first;
}

function pack(root: string, archive: string): void {
  execFileSync('sh', ['-c', 'find . | cpio -o -H newc --quiet > "$1"', 'sh', archive], { cwd: root });
}

const linesOf = (path: string): readonly string[] =>
  existsSync(path)
    ? readFileSync(path, 'latin1')
        .replaceAll('\r', '')
        .split('\n')
        .filter((line) => line !== '')
    : [];

function readAt(path: string, address: number, length: number): Uint8Array {
  const file = openSync(path, 'r');
  const bytes = new Uint8Array(length);
  readSync(file, bytes, 0, length, address);
  closeSync(file);
  return bytes;
}

/** Memory below the hole of 32-bit devices is in the file at its physical address. */
function writeAt(path: string, changes: readonly ByteChange[]): void {
  const file = openSync(path, 'r+');
  for (const { address, bytes } of changes) writeSync(file, bytes, 0, bytes.length, address);
  closeSync(file);
}

async function until(done: () => boolean | Promise<boolean>, seconds: number, what: string, folder: string): Promise<void> {
  for (let waited = 0; waited < seconds * 5; waited++) {
    if (await done()) return;
    await sleep(200);
  }
  throw new Error(`${what} within ${seconds} s; its console ends: ${linesOf(join(folder, 'console')).slice(-5).join(' | ')}`);
}

const ended = (child: ChildProcess): Promise<void> =>
  child.exitCode !== null || child.signalCode !== null ? Promise.resolve() : new Promise((resolve) => child.once('exit', () => resolve()));

/** QEMU's machine protocol over a socket: one command, one answer. Source: QEMU's docs/interop/qmp-spec.rst, 7.2. */

interface Reply {
  readonly return?: unknown;
  readonly error?: { readonly desc: string };
}

class Qmp {
  readonly #socket: Socket;
  readonly #waiting: ((reply: Reply) => void)[] = [];

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('error', () => undefined);
    // Whoever waits for a guest that is gone waits no longer.
    socket.on('close', () => {
      for (const answer of this.#waiting.splice(0)) answer({ error: { desc: 'QEMU is gone' } });
    });
    createInterface({ input: socket })
      .on('line', (line) => {
        const message: Reply & { event?: string; QMP?: unknown } = JSON.parse(line);
        if (message.event === undefined && message.QMP === undefined) this.#waiting.shift()?.(message);
      })
      .on('error', () => undefined);
  }

  /** Waits for the socket to be there. @throws Error where it does not come within half a minute */
  static async connect(path: string): Promise<Qmp> {
    for (let tries = 0; tries < 300; tries++) {
      const socket = await new Promise<Socket | null>((resolve) => {
        const one = createConnection(path);
        one.once('connect', () => resolve(one)).once('error', () => resolve(null));
      });
      if (socket !== null) {
        const qmp = new Qmp(socket);
        await qmp.ask('qmp_capabilities');
        return qmp;
      }
      await sleep(100);
    }
    throw new Error(`${path}: QEMU does not listen`);
  }

  /** @returns the answer @throws Error with QEMU's words where it refuses */
  async ask(execute: string, parameters: Readonly<Record<string, unknown>> = {}): Promise<unknown> {
    const reply = await new Promise<Reply>((resolve) => {
      this.#waiting.push(resolve);
      this.#socket.write(`${JSON.stringify({ execute, arguments: parameters })}\n`);
    });
    if (reply.error !== undefined) throw new Error(`${execute}: ${reply.error.desc}`);
    return reply.return;
  }

  /** What a command of the human monitor prints. */
  async monitor(command: string): Promise<string> {
    return String(await this.ask('human-monitor-command', { 'command-line': command }));
  }

  /** Until the migration is over. @throws Error where it fails */
  async migrated(): Promise<void> {
    for (;;) {
      const state = await this.ask('query-migrate');
      const status = typeof state === 'object' && state !== null && 'status' in state ? state.status : null;
      if (status === 'completed') return;
      if (status === 'failed' || status === 'cancelled') throw new Error(`the machine's state can't be moved: ${JSON.stringify(state)}`);
      await sleep(100);
    }
  }

  close(): void {
    this.#socket.destroy();
  }
}

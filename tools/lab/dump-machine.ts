/**
 * A guest that stops at marks, and where its kernel panics, so that QEMU can write its memory there. What it does is a program: lines of
 * dump-guest.c below `boot 1` and `boot 2`. Memory may be changed at a mark, by physical address, through QEMU's gdb stub.
 */
import { spawn, execFileSync } from 'node:child_process';
import { connect, type Socket } from 'node:net';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Share } from './guest.js';
import { qemuArguments } from './qemu.js';

export interface DumpRun {
  /** every line of the console */
  readonly console: readonly string[];
  /** by moment, an ELF core; `panic` where the kernel died */
  readonly dumps: ReadonlyMap<string, string>;
}

export interface DumpRunOptions {
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
export function makeDumpGuest(share: Share, project: string): string {
  const root = join(share.path, 'dump-root');
  mkdirSync(join(root, 'dev'), { recursive: true });
  execFileSync('gcc', ['-static', '-O1', '-o', join(root, 'init'), join(project, 'tools/lab/dump-guest.c'), '-lpthread']);
  const initrd = join(share.path, 'dump-initrd.img');
  execFileSync('sh', ['-c', 'find . | cpio -o -H newc --quiet > "$1"', 'sh', initrd], { cwd: root });
  return initrd;
}

/** Runs the program; ends with the guest, at its panic, or when its time is over. */
export async function runToDumps(share: Share, options: DumpRunOptions): Promise<DumpRun> {
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

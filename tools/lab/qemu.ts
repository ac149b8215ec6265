/** One guest in QEMU, without hardware support: its console as lines, and what stops it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Share } from './guest.js';

interface MachineOptions {
  /** bzImage that boots first */
  readonly kernel: string;
  readonly memory: string;
  readonly append: string;
  /** further arguments of QEMU */
  readonly extra?: readonly string[];
  /** after so many seconds the guest is ended; software emulation on a busy host is slow */
  readonly seconds: number;
}

interface GuestRun {
  /** every line of the console */
  readonly lines: readonly string[];
  /** the status of the last LAB-END; null where the guest did not come so far */
  readonly status: number | null;
  readonly timedOut: boolean;
}

const CONSOLE = 'console=ttyS0 panic=-1';

export function qemuArguments(share: Share, options: MachineOptions): readonly string[] {
  return [
    ...['-accel', 'tcg,thread=multi', '-M', 'q35', '-cpu', 'max,la57=off', '-m', options.memory, '-nodefaults', '-display', 'none', '-no-reboot'],
    ...['-kernel', options.kernel, '-initrd', share.initrd, '-append', `${CONSOLE} ${options.append}`],
    ...['-serial', 'stdio', '-device', 'vmcoreinfo', '-virtfs', `local,path=${share.path},mount_tag=host,security_model=none`],
    ...(options.extra ?? []),
  ];
}

/** Boots the guest and waits until it powers off, or its time is over. The console goes to `<share>/console.log` as well. */
export async function runGuest(share: Share, options: MachineOptions): Promise<GuestRun> {
  const child: ChildProcess = spawn('qemu-system-x86_64', qemuArguments(share, options), { stdio: ['ignore', 'pipe', 'inherit'] });
  const { stdout } = child;
  if (stdout === null) throw new Error('no console');
  const log = createWriteStream(join(share.path, 'console.log'));
  const lines: string[] = [];
  let status: number | null = null;
  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    child.kill('SIGKILL');
  }, options.seconds * 1000);
  for await (const line of createInterface({ input: stdout })) {
    const text = line.replaceAll('\r', '');
    lines.push(text);
    log.write(`${text}\n`);
    const end = /^LAB-END (\d+)/.exec(text);
    if (end !== null) status = Number(end[1]);
  }
  clearTimeout(timer);
  log.end();
  return { lines, status, timedOut };
}

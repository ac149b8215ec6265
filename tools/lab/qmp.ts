/** QEMU's machine protocol over a socket: one command, one answer. Source: QEMU's docs/interop/qmp-spec.rst, 7.2. */
import { createConnection, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';

interface Reply {
  readonly return?: unknown;
  readonly error?: { readonly desc: string };
}

export class Qmp {
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

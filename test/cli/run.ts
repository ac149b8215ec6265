/**
 * Runs the command line that ships: the bundle, whose `main` is called in a worker of its own, so that loading it is
 * paid once. `luoInspectProcess` starts the executable itself; test/cli/executable.test.ts does so.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { MessageChannel, receiveMessageOnPort, Worker } from 'node:worker_threads';
import { expect } from 'vitest';

export interface Run {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

interface RunOptions {
  readonly input?: Uint8Array;
  readonly env?: NodeJS.ProcessEnv;
}

/** `npm test` builds before it tests; `dist` is what is run. */
export const EXECUTABLE = 'dist/cli/bin.js';

export function luoInspectProcess(args: readonly string[], options: RunOptions = {}): Run {
  const { status, stdout, stderr } = spawnSync(process.execPath, [EXECUTABLE, ...args], {
    encoding: 'utf8',
    maxBuffer: 256 << 20,
    ...(options.input === undefined ? {} : { input: options.input }),
    env: { ...process.env, ...options.env },
  });
  return { status, stdout, stderr };
}

interface Running {
  readonly worker: Worker;
  readonly port: MessageChannel['port1'];
  readonly done: Int32Array;
}

/** The worker, and the test file that loaded contracts of its own into it: they are not to be there for the next. */
let running: (Running & { loaded: string | null }) | null = null;

function start(): Running {
  if (!existsSync(EXECUTABLE)) throw new Error(`${EXECUTABLE} is not there: npm run build makes it`);
  const { port1, port2 } = new MessageChannel();
  const done = new Int32Array(new SharedArrayBuffer(4));
  const worker = new Worker(new URL('./run-worker.mjs', import.meta.url), {
    workerData: { port: port2, done },
    transferList: [port2],
    stdout: true,
    stderr: true,
    resourceLimits: { maxYoungGenerationSizeMb: 192 },
  });
  worker.unref();
  return { worker, port: port1, done };
}

const isRun = (value: unknown): value is Run => typeof value === 'object' && value !== null && 'status' in value && 'stdout' in value && 'stderr' in value;

/** What the command prints, and its status. */
export function luoInspect(args: readonly string[], options: RunOptions = {}): Run {
  const file = expect.getState().testPath ?? '';
  if (running !== null && running.loaded !== null && running.loaded !== file) {
    void running.worker.terminate();
    running = null;
  }
  running ??= { ...start(), loaded: null };
  if (args.includes('--contract')) running.loaded = file;
  const { port, done } = running;
  Atomics.store(done, 0, 0);
  port.postMessage({ args, input: options.input ?? null, env: options.env ?? {} });
  Atomics.wait(done, 0, 0);
  const answer: unknown = receiveMessageOnPort(port)?.message;
  if (!isRun(answer)) throw new Error('the worker that runs commands gave no answer');
  return answer;
}

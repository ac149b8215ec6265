/** Runs the command line as a user does: the built executable, in a process of its own. */
import { spawnSync } from 'node:child_process';

export interface Run {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** `npm test` builds before it tests; `dist` is what is run. */
export function luoInspect(args: readonly string[], options: { input?: Uint8Array; env?: NodeJS.ProcessEnv } = {}): Run {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['dist/src/cli/bin.js', ...args], {
    encoding: 'utf8',
    maxBuffer: 256 << 20,
    ...(options.input === undefined ? {} : { input: options.input }),
    env: { ...process.env, ...options.env },
  });
  return { status, stdout, stderr };
}

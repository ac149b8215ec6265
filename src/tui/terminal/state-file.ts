/** What a view remembers of its user: $XDG_STATE_HOME/luo-inspect (by default ~/.local/state), a file for each dump or scenario. */
import { createHash } from 'node:crypto';
import { closeSync, mkdirSync, openSync, readFileSync, readSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { type Kept, NOTHING_KEPT, parseKept } from '../model/kept.js';

/** Bytes of a file that tell it from others, with its size. */
const HEAD = 1 << 16;

/** What a file is known by, wherever it is and whatever it is called; null for what is not a plain file. */
export function identityOf(path: string, view: string): string | null {
  try {
    const { size } = statSync(path);
    const fd = openSync(path, 'r');
    try {
      const head = Buffer.alloc(Math.min(size, HEAD));
      readSync(fd, head, 0, head.length, 0);
      return createHash('sha256').update(`${view} ${size}\n`).update(head).digest('hex').slice(0, 32);
    } finally {
      closeSync(fd);
    }
  } catch {
    return null;
  }
}

/** Null where there is no home to keep anything in. */
function folder(env: Readonly<Record<string, string | undefined>>): string | null {
  const state = env.XDG_STATE_HOME ?? '';
  if (isAbsolute(state)) return join(state, 'luo-inspect');
  const home = env.HOME ?? homedir();
  return isAbsolute(home) && home !== '/' ? join(home, '.local', 'state', 'luo-inspect') : null;
}

/** What was kept for `identity`; nothing where there is no file, or none that can be read. */
export function readKept(identity: string, env: Readonly<Record<string, string | undefined>> = process.env): Kept {
  const place = folder(env);
  if (place === null) return NOTHING_KEPT;
  try {
    return parseKept(readFileSync(join(place, `${identity}.json`), 'utf8'));
  } catch {
    return NOTHING_KEPT;
  }
}

/** Keeps it; for nobody but the user, and never half written. A folder that cannot be written to is no error. */
export function writeKept(identity: string, kept: Kept, env: Readonly<Record<string, string | undefined>> = process.env): void {
  const place = folder(env);
  if (place === null) return;
  try {
    mkdirSync(place, { recursive: true, mode: 0o700 });
    const file = join(place, `${identity}.json`);
    writeFileSync(`${file}.${process.pid}`, `${JSON.stringify(kept)}\n`, { mode: 0o600 });
    renameSync(`${file}.${process.pid}`, file);
  } catch {
    // nothing of the session is lost but its memory
  }
}

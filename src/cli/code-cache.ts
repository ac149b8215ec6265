/**
 * Loads the bundle with the code that V8 compiled for it before: parsing and compiling two megabytes anew would take most of the time of
 * a short command. Node 22.1 and later keep it by themselves; for Node 20 it is kept here, a file a command, in the user's cache folder.
 * NODE_DISABLE_COMPILE_CACHE, a variable of Node, turns both off.
 */
import { closeSync, constants as files, fstatSync, mkdirSync, openSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import module, { createRequire } from 'node:module';
import { homedir } from 'node:os';
import { dirname, isAbsolute, join } from 'node:path';
import { constants, Script } from 'node:vm';

/** What the bundle `file`, which is plain ASCII, exports; `build` tells it from every other, `command` is what its code is kept for. */
export function loadBundle(file: string, build: string, command: string): unknown {
  const require = createRequire(file);
  if ((process.env.NODE_DISABLE_COMPILE_CACHE ?? '') !== '') return require(file);
  const enableCompileCache: unknown = Reflect.get(module, 'enableCompileCache');
  if (typeof enableCompileCache === 'function') {
    enableCompileCache();
    return require(file);
  }
  const folder = cacheFolder();
  if (folder === null) return require(file);
  const version = `${build}-${process.version}-${process.arch}`;
  const kept = join(folder, `${version}-${command}`);
  const cachedData = ownFile(kept);
  const script = new Script(`(function (exports, require, module, __filename, __dirname) {${readFileSync(file, 'latin1')}\n})`, {
    filename: file,
    ...(cachedData === null ? {} : { cachedData }),
    importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
  });
  if (cachedData === null || script.cachedDataRejected === true) process.once('exit', () => keep(folder, kept, version, script));
  const made: { exports: unknown } = { exports: {} };
  script.runInThisContext()(made.exports, require, made, file, dirname(file));
  return made.exports;
}

function cacheFolder(): string | null {
  const given = process.env.XDG_CACHE_HOME ?? '';
  try {
    return join(isAbsolute(given) ? given : join(homedir(), '.cache'), 'luo-inspect');
  } catch {
    return null;
  }
}

/** What is kept is run: a file that somebody else could have written is left alone. */
function ownFile(path: string): Buffer | null {
  let fd: number | null = null;
  try {
    fd = openSync(path, files.O_RDONLY | files.O_NOFOLLOW | files.O_NONBLOCK);
    const { mode, uid } = fstatSync(fd);
    return (mode & files.S_IFMT) === files.S_IFREG && (mode & 0o022) === 0 && uid === process.getuid?.() ? readFileSync(fd) : null;
  } catch {
    return null;
  } finally {
    if (fd !== null) closeSync(fd);
  }
}

/** Files that are kept: more than there are commands, so that words which are none fill no disk. */
const MOST_KEPT = 40;

/** Milliseconds; two installations that are used in turn leave each other's files alone for as long, unless there are too many. */
const OTHERS_STAY = 24 * 3600 * 1000;

/** Where it can't be written the next start is as slow as this one, and nothing else. */
function keep(folder: string, path: string, version: string, script: Script): void {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const names = readdirSync(folder);
    for (const name of names) {
      const other = /^[0-9a-f]{16}-v/.test(name) && !name.startsWith(version) ? join(folder, name) : null;
      if (other !== null && (names.length > 2 * MOST_KEPT || statSync(other).mtimeMs < Date.now() - OTHERS_STAY)) rmSync(other, { force: true });
    }
    if (names.filter((name) => name.startsWith(version)).length >= MOST_KEPT) return;
    const fresh = `${path}.${process.pid}`;
    writeFileSync(fresh, script.createCachedData(), { flag: 'wx', mode: 0o600 });
    renameSync(fresh, path);
  } catch {}
}

/**
 * The lab's own kernel: Debian's `linux-source-7.3` (or a tree that is named) with samples/lab/kernel.config, built once and kept. Seven to ten
 * minutes on two quiet cores. Needs what a kernel needs: make, gcc, flex, bison, bc, libelf-dev, and pahole for its BTF.
 */
import { type SpawnSyncReturns, spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readdirSync, renameSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';

const DEBIAN = 'linux-source-7.3';
const IMAGE = 'arch/x86/boot/bzImage';

interface BuildOptions {
  /** the project's folder */
  readonly project: string;
  /** a kernel tree; null for Debian's */
  readonly source: string | null;
  /** where trees are unpacked and images kept */
  readonly folder: string;
}

/** @returns the bzImage @throws Error that says what lacks */
export function buildKernel({ project, source, folder }: BuildOptions): string {
  const kept = join(folder, source === null ? `bzImage-${DEBIAN}` : `bzImage-${resolve(source).replaceAll('/', '_')}`);
  if (existsSync(kept)) return kept;
  for (const tool of ['make', 'gcc', 'flex', 'bison', 'bc', 'pahole'])
    if (spawnSync('sh', ['-c', `command -v ${tool}`]).status !== 0)
      throw new Error(`--build: ${tool} is not installed; apt-get install build-essential flex bison bc libelf-dev libssl-dev pahole`);
  mkdirSync(folder, { recursive: true });
  const tree = source === null ? debianTree(folder) : resolve(source);
  if (!existsSync(join(tree, 'Kconfig'))) throw new Error(`--build: ${tree} is no kernel tree`);
  // Beside the tree, so that a user's own stays as it is.
  const output = join(folder, 'output');
  mkdirSync(output, { recursive: true });
  copyFileSync(join(project, 'samples/lab/kernel.config'), join(output, '.config'));
  run('make', ['-C', tree, `O=${output}`, 'olddefconfig']);
  run('make', ['-C', tree, `O=${output}`, `-j${availableParallelism()}`, 'bzImage']);
  copyFileSync(join(output, IMAGE), `${kept}.part`);
  renameSync(`${kept}.part`, kept);
  return kept;
}

/** Unpacks the package's archive. @throws Error where it is not installed */
function debianTree(folder: string): string {
  const tree = join(folder, DEBIAN);
  if (existsSync(join(tree, 'Kconfig'))) return tree;
  const archive = existsSync('/usr/src') ? readdirSync('/usr/src').find((name) => name.startsWith(`${DEBIAN}.tar`)) : undefined;
  if (archive === undefined)
    throw new Error(`--build: /usr/src/${DEBIAN}.tar.* is not there; apt-get install -t trixie-backports ${DEBIAN}, or name a tree with --source`);
  run('tar', ['xf', join('/usr/src', archive), '-C', folder]);
  return tree;
}

function run(command: string, args: readonly string[]): void {
  const { status }: SpawnSyncReturns<Buffer> = spawnSync(command, args, { stdio: ['ignore', 'inherit', 'inherit'] });
  if (status !== 0) throw new Error(`--build: ${command} ${args.join(' ')} ends with ${status}`);
}

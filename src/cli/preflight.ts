/** `luo-inspect preflight`: would a live update work on this machine now, and what survives it? */
import { closeSync, openSync, readSync, statSync } from 'node:fs';
import { releaseOf } from '../../abi/registry.js';
import { UserError } from '../codec/user-error.js';
import { handingOver } from '../compat/dump-side.js';
import { releaseSide } from '../compat/release-side.js';
import type { Side } from '../compat/side.js';
import { openDump } from '../container/open.js';
import { liveDescriptors } from '../host/descriptors.js';
import { folderTree, type HostTree, liveTree, textOf } from '../host/host-tree.js';
import { DESCRIPTORS } from '../host/recorded.js';
import { versionOf } from '../preflight/kernel.js';
import { HEAD_BYTES, type NextKernel } from '../preflight/next-kernel.js';
import { preflight } from '../preflight/preflight.js';
import { preflightJson, preflightText } from '../report/preflight-text.js';
import { openSide } from './compat-side.js';
import { decodeDumpByBtf } from './decode-dump.js';
import type { BtfOption } from './dump-contracts.js';
import { writeJson, writeLines } from './output.js';
import { outcomesOf } from './preflight-outcome.js';
import { paintsOutput } from './terminal.js';
import { atEnd } from '../codec/at-end.js';

interface Options extends BtfOption {
  readonly next?: string;
  readonly cmdline?: string;
  readonly root?: string;
  readonly json?: boolean;
  readonly strict?: boolean;
  /** false with --no-color */
  readonly color?: boolean;
}

/** Exit status: 0 nothing blocks, 1 something does, 2 nothing could be checked. */
export async function runPreflight(devices: readonly string[], options: Options): Promise<void> {
  const tree = treeOf(options.root);
  const next = options.next === undefined ? null : await nextKernel(options.next);
  const nextRelease = next?.side.releases[0] ?? null;
  const result = preflight({
    tree,
    next,
    cmdline: options.cmdline ?? null,
    from: await handedOver(tree, options.root, options),
    devices,
    descriptors: tree.live ? liveDescriptors() : null,
    seesAll: tree.live ? process.getuid?.() === 0 : tree.has(DESCRIPTORS),
    outcomes: (sessions) => outcomesOf({ sessions, running: versionOf(tree), next: nextRelease, cmdline: options.cmdline ?? textOf(tree, 'proc/cmdline') }),
  });
  if (options.json === true) await writeJson(preflightJson(result));
  else await writeLines(preflightText(result, paintsOutput(options)));
  const untold = options.strict === true && result.lines.some(({ state }) => state === 'cannot-tell');
  process.exitCode = result.verdict === 'unknown' ? 2 : result.verdict === 'blocks' || untold ? 1 : 0;
}

/** @throws UserError where the folder is not there */
function treeOf(root: string | undefined): HostTree {
  if (root === undefined) return liveTree();
  if (statSync(root, { throwIfNoEntry: false })?.isDirectory() !== true)
    throw new UserError(`${root}: no folder; give an unpacked capture (tar xf capture.tar), or leave --root out to look at this machine`);
  return folderTree(root);
}

/** What debugfs shows; where it shows nothing, what a kernel of this release writes. */
async function handedOver(tree: HostTree, root: string | undefined, layouts: BtfOption): Promise<Side | null> {
  const folder = root ?? '/sys/kernel/debug/kho';
  const version = versionOf(tree);
  try {
    const opened = await openDump(folder);
    const { opened: dump, decoded } = await decodeDumpByBtf(opened, null, layouts);
    const outgoing = decoded.handovers.filter(({ role }) => role === 'outgoing');
    if (outgoing.length > 0) return handingOver({ path: folder, pageSize: dump.memory.pageSize, runningRelease: version }, { ...decoded, handovers: outgoing });
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
  }
  const release = version === null ? null : releaseOf(version);
  return release === null ? null : releaseSide(release);
}

/** @throws UserError where it is no kernel */
async function nextKernel(path: string): Promise<NextKernel> {
  const side = await openSide(path, 'to');
  return { path, head: side.kind === 'release' ? new Uint8Array(0) : headOf(path), side, config: null };
}

function headOf(path: string): Uint8Array {
  const fd = openSync(path, 'r');
  using _fd = atEnd(() => closeSync(fd));
  const head = new Uint8Array(HEAD_BYTES);
  return head.subarray(0, readSync(fd, head, 0, head.length, 0));
}

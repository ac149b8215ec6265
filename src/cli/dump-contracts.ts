/**
 * What a dump's strings are read by, where the contracts of the registry are not enough: the BTF of the kernel that wrote it, given
 * with --btf or found beside the dump. For every command that takes a dump.
 */
import { lstatSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { UserError } from '../codec/user-error.js';
import type { Btf } from '../compat/btf/btf.js';
import { contractsOfBtf } from '../compat/btf-contracts.js';
import { buildIdOf } from '../compat/btf/elf-image.js';
import { type KernelFile, openKernelFile } from '../compat/btf/kernel-file.js';
import type { OpenedDump } from '../container/opened-dump.js';
import type { Contracts } from '../handover/contracts.js';
import type { DecodedDump } from '../handover/decode.js';
import { atEnd } from '../codec/at-end.js';

export interface DumpBtf {
  readonly source: string;
  readonly btf: Btf;
  readonly contracts: Contracts;
  readonly evidence: string;
}

/** As the user gave them. */
export interface BtfOption {
  /** a file; false for none; otherwise one beside the dump is taken where it is needed */
  readonly btf?: string | boolean | undefined;
}

const NAMES = ['vmlinux', 'vmlinux.BTF', 'BTF'].flatMap((name) => ['', '.xz', '.zst', '.gz'].map((ending) => `${name}${ending}`));

/** The BTF that --btf names. @throws UserError where it can't be read, has none, or is of another build than the dump */
export async function namedBtf(path: string, opened: OpenedDump): Promise<DumpBtf> {
  const file = await openKernelFile(path);
  using _file = atEnd(() => file.close());
  const [own, dumps] = [file.image === null ? null : buildIdOf(file.image), opened.vmcoreinfo?.get('BUILD-ID') ?? null];
  if (own !== null && dumps !== null && own !== dumps)
    throw new UserError(`${path}: of another build (${own}) than the kernel in ${opened.path} (${dumps}); give the vmlinux or BTF of that kernel`);
  return measured(path, file, true, 'given');
}

/**
 * A BTF beside the dump, where it is needed: the dump has versions nobody described, or the build ids of both say that it is of the
 * kernel in the dump. Null where there is none that can be used; `said` gets a sentence for each that could not.
 */
export async function foundBtf(opened: OpenedDump, decoded: DecodedDump, said: string[]): Promise<DumpBtf | null> {
  const needed = hasUnknownVersion(decoded);
  const dumps = opened.vmcoreinfo?.get('BUILD-ID') ?? null;
  if (opened.path === '-' || (!needed && dumps === null)) return null;
  for (const path of besides(opened.path)) {
    const file = await openKernelFile(path).catch((error: unknown) => {
      said.push(`${path}: not used: ${error instanceof Error ? error.message : String(error)}`);
      return null;
    });
    if (file === null) continue;
    using _file = atEnd(() => file.close());
    const own = file.image === null ? null : buildIdOf(file.image);
    if (own !== null && dumps !== null && own !== dumps) said.push(`${path}: not used: of another build (${own}) than the kernel in the dump (${dumps})`);
    else if (file.btf === null) said.push(`${path}: not used: it has no BTF`);
    else if (needed || own !== null) return measured(path, file, own !== null && own === dumps, 'beside the dump');
  }
  return null;
}

function measured(path: string, file: KernelFile, trusted: boolean, how: string): DumpBtf {
  if (file.btf === null)
    throw new UserError(`${path}: has no BTF (${file.evidence}); give a kernel built with CONFIG_DEBUG_INFO_BTF, or its /sys/kernel/btf/vmlinux`);
  return {
    source: path,
    btf: file.btf,
    contracts: contractsOfBtf(file.btf, { source: path, trusted }),
    evidence: `layouts: ${path}, ${how}: ${file.evidence}`,
  };
}

function besides(path: string): readonly string[] {
  const isFolder = statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
  const folders = isFolder ? [path, dirname(path)] : [dirname(path)];
  // Anything else of that name (a pipe, a device, a link to somewhere) is no kernel of this dump.
  return folders.flatMap((folder) => NAMES.map((name) => join(folder, name))).filter((file) => lstatSync(file, { throwIfNoEntry: false })?.isFile() === true);
}

const UNKNOWN = new Set(['luo-unknown-version', 'kho-unknown-version', 'handler-unknown', 'flb-unknown']);

/** Does the dump name a version that nobody described? */
export const hasUnknownVersion = (decoded: DecodedDump): boolean =>
  decoded.handovers.some(({ observations }) => observations.some(({ kind }) => UNKNOWN.has(kind)));

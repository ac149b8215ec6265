/** `luo-inspect kvm <snapshot>`: a kvm_run snapshot, a file of many, or a folder of them. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { UserError } from '../codec/user-error.js';
import type { SnapshotFiles } from '../kvm/snapshot-files.js';
import { parseCount, parsePageSize } from './numbers.js';
import { onTerminal, wantsColor } from './terminal.js';
import { tell } from './messages.js';

interface KvmCommandOptions {
  readonly arch?: string;
  readonly endian?: string;
  readonly errno?: string;
  readonly abi?: string;
  readonly stride?: number;
  readonly pageSize?: number;
  readonly json?: boolean;
  /** in the terminal UI */
  readonly tui?: boolean;
  /** false with --no-color */
  readonly color?: boolean;
}

export function registerKvm(program: Command): void {
  program
    .command('kvm <snapshot>')
    .description('a kvm_run snapshot; a folder or a file of several becomes a timeline')
    .option('--arch <arch>', 'x86_64, arm64, s390, powerpc, riscv or loongarch; told from the bytes where they tell it', parseArch)
    .addOption(new Option('--endian <order>', 'byte order of the host').choices(['little', 'big']))
    .option('--errno <name|number>', 'what KVM_RUN failed with, 0 where it returned 0')
    .addOption(new Option('--abi <name>', 'numbers of the mailing-list patch of October 2023').choices(['seed-v13']))
    .option('--stride <bytes>', 'bytes from one snapshot to the next', parseCount)
    .option('--page-size <bytes>', 'page size of the host', parsePageSize)
    .option('--json', 'as JSON')
    .option('--tui', 'in the terminal UI: fields, bytes and what the exit means')
    .option('--no-color', 'no colours')
    .action(runKvm);
}

/** Other names that people and tools use for the same architecture. */
const ARCH_NAMES: Readonly<Record<string, string>> = {
  amd64: 'x86_64',
  'x86-64': 'x86_64',
  x86: 'x86_64',
  aarch64: 'arm64',
  s390x: 's390',
  ppc64: 'powerpc',
  ppc64le: 'powerpc',
  riscv64: 'riscv',
  loongarch64: 'loongarch',
};

function parseArch(text: string): string {
  const arch = ARCH_NAMES[text] ?? text;
  if (!['x86_64', 'arm64', 's390', 'powerpc', 'riscv', 'loongarch'].includes(arch)) {
    throw new InvalidArgumentError('x86_64, arm64, s390, powerpc, riscv or loongarch is needed');
  }
  return arch;
}

/** Prints what `path` holds to standard output. @throws UserError if nothing can be read there */
export async function runKvm(path: string, options: KvmCommandOptions): Promise<void> {
  const [{ isKvmArch }, { parseErrno }, { openSnapshots }] = await Promise.all([
    import('../../abi/kvm/arch.js'),
    import('../kvm/errno.js'),
    import('./kvm-input.js'),
  ]);
  const { arch, endian, errno, stride, pageSize } = options;
  const snapshots = await openSnapshots(path, {
    ...(arch !== undefined && isKvmArch(arch) ? { arch } : {}),
    ...(endian === 'little' || endian === 'big' ? { endian } : {}),
    ...(errno === undefined ? {} : { errno: parseErrno(errno) }),
    ...(options.abi === 'seed-v13' ? { abi: options.abi } : {}),
    ...(stride === undefined ? {} : { stride }),
    ...(pageSize === undefined ? {} : { pageSize }),
  });
  for (const name of snapshots.skipped) tell(`${JSON.stringify(name)} holds no kvm_run snapshot and is left out`);
  if (options.tui === true) {
    await showKvm(snapshots, options);
    return;
  }
  const [{ kvmLines }, { writeLines }] = await Promise.all([import('../report/kvm-text.js'), import('./output.js')]);
  await writeLines(kvmLines(snapshots, options.json === true));
}

async function showKvm(snapshots: SnapshotFiles, options: KvmCommandOptions): Promise<void> {
  if (!onTerminal()) throw new UserError('--tui needs a terminal for input and output; without --tui the snapshot is printed');
  if (snapshots.count === 0) throw new UserError(`${snapshots.path}: no snapshot in it`);
  const [{ identityOf, openInspector }, { snapshotsModelOf }] = await Promise.all([import('../tui/open.js'), import('../tui/inspector/from-snapshots.js')]);
  await openInspector(snapshotsModelOf(snapshots), { color: wantsColor(options), identity: identityOf(snapshots.path, 'kvm') });
}

/** `luo-inspect whatis <dump> <address>`: what is at a physical (or, where the dump's kernel can be read, virtual) address: node, owner, page state, who points there. */
import type { Command } from 'commander';
import { UserError } from '../codec/user-error.js';
import { KernelFault } from '../kernel/fault.js';
import type { Kernel } from '../kernel/kernel.js';
import { type DumpCommandOptions, dumpOptions } from './report.js';
import { atEnd } from '../codec/at-end.js';

export function registerWhatIs(program: Command): void {
  dumpOptions(program.command('whatis <dump> <address>'))
    .description('what is at a physical address: structure and field, owner, page state, preserved or not, who points there')
    .option('--json', 'as JSON (schema luo-inspect.whatis/1)')
    .action(runWhatIs);
}

async function runWhatIs(path: string, address: string, options: DumpCommandOptions): Promise<void> {
  const [{ loadDump, parseAddress }, { AddressIndex }, { whatIsJson, whatIsText }, { writeJson, writeLines }] = await Promise.all([
    import('./load-dump.js'),
    import('../address/address-index.js'),
    import('../report/whatis.js'),
    import('./output.js'),
  ]);
  // as a console prints it, with or without 0x
  const typed = /^[0-9a-f]*[a-f][0-9a-f]*$/i.test(address) ? `0x${address}` : address;
  const virtual = /^0x[0-9a-f]{16}$/i.test(typed) && BigInt(typed) >= KERNEL_SPACE ? BigInt(typed) : null;
  const named = virtual === null ? parseAddress(typed) : null;
  const { opened, report, objects } = await loadDump(path, options);
  using _opened = atEnd(() => opened.close());
  const is = new AddressIndex(report.decoded).at(named ?? physicalOf(objects.kernel, virtual ?? 0n));
  if (options.json === true) await writeJson(whatIsJson(is, virtual));
  else await writeLines(whatIsText(is, virtual));
}

/** Kernel addresses of both architectures have their top bits set. */
const KERNEL_SPACE = 0xff00000000000000n;

/** @throws UserError where the dump's kernel could not be read, or maps nothing there */
function physicalOf(kernel: Kernel | null, address: bigint): number {
  const text = `0x${address.toString(16)}`;
  if (kernel === null)
    throw new UserError(`${text} is a virtual address, and the kernel in this dump could not be read; give --symbols <System.map>, or a physical address`);
  try {
    return kernel.virtual.translate(address);
  } catch (error) {
    if (error instanceof KernelFault) throw new UserError(`${text}: ${error.message}`);
    throw error;
  }
}

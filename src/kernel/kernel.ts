/**
 * The kernel that runs in a dump: its virtual memory, its symbols and its types, found with nothing but the dump. VMCOREINFO names
 * the page tables and kallsyms; kallsyms names the BTF and the variables; the BTF describes every structure. Nothing here knows
 * any subsystem: see lists.ts, xarray.ts, tasks.ts and files.ts for what they share.
 */
import { type Btf, openBtf } from '../compat/btf/btf.js';
import { UserError } from '../codec/user-error.js';
import { pageSizeOf } from '../codec/vmcoreinfo.js';
import type { PhysicalMemory } from '../memory/memory.js';
import { addressSpaceOf } from './address-space.js';
import { KernelFault, attempt, hexOf, optional } from './fault.js';
import { readKallsyms } from './kallsyms.js';
import { KernelObject } from './object.js';
import { type KernelSymbol, type SymbolTable, joinTables } from './symbols.js';
import { type LinkedSymbols, relocate } from './system-map.js';
import { KernelTypes } from './types.js';
import { VirtualMemory } from './virtual-memory.js';
import { type Vmcoreinfo, vmcoreinfoOf } from './vmcoreinfo.js';
import { kernelLimits } from './limits.js';

export interface KernelSources {
  readonly vmcoreinfo: ReadonlyMap<string, string>;
  /** from `--symbols`, or the symbols of `--vmlinux` */
  readonly linked?: readonly { readonly source: string; readonly symbols: LinkedSymbols }[];
  /** from `--vmlinux`, or `--btf`; taken where the dump has none */
  readonly btf?: { readonly source: string; readonly btf: Btf } | null;
}

const MAX_BTF = kernelLimits.btfBytes.value;

export class Kernel {
  readonly info: Vmcoreinfo;
  readonly release: string | null;
  readonly virtual: VirtualMemory;
  readonly symbols: SymbolTable;
  /** null where neither the dump nor a file has a BTF of this kernel */
  readonly typesOrNull: KernelTypes | null;
  /** what could not be found, and what to give for it; a sentence each */
  readonly missing: readonly string[];
  /** the BTF as it is in the dump; null where it is from a file, or there is none */
  readonly btfBytes: Uint8Array | null;

  constructor(parts: {
    info: Vmcoreinfo;
    release: string | null;
    virtual: VirtualMemory;
    symbols: SymbolTable;
    types: KernelTypes | null;
    missing: readonly string[];
    btfBytes: Uint8Array | null;
  }) {
    this.info = parts.info;
    this.release = parts.release;
    this.virtual = parts.virtual;
    this.symbols = parts.symbols;
    this.typesOrNull = parts.types;
    this.missing = parts.missing;
    this.btfBytes = parts.btfBytes;
  }

  /** @throws KernelFault where this kernel's types are not known */
  get types(): KernelTypes {
    if (this.typesOrNull === null)
      throw new KernelFault('no-type', 'the types of this kernel are not known: it has no BTF in this dump; give --vmlinux or --btf');
    return this.typesOrNull;
  }

  /** The object of `type` (`struct task_struct`) at a virtual address. @throws KernelFault where the type is not known */
  object(type: string, address: bigint): KernelObject {
    return new KernelObject(this, this.types.id(type), address);
  }

  /** The same at a physical address. */
  physicalObject(type: string, address: number): KernelObject {
    return new KernelObject(this, this.types.id(type), BigInt(address), 'physical');
  }

  /** The address of a symbol; static variables of functions are found without their number. @throws KernelFault where no table has it, or several do */
  address(name: string): bigint {
    const found = this.symbols.find(name);
    const all = found.length > 0 ? found : this.symbols.findNumbered(name);
    const [first] = all;
    if (first === undefined) throw new KernelFault('no-symbol', `no symbol ${name} in ${this.symbols.source === '' ? 'the dump' : this.symbols.source}`);
    if (all.some(({ address }) => address !== first.address))
      throw new KernelFault('no-symbol', `${all.length} symbols are called ${name} in ${this.symbols.source}`);
    return first.address;
  }

  /** A variable, by its name and the type it has. @throws KernelFault */
  variable(name: string, type: string): KernelObject {
    return this.object(type, this.address(name));
  }
}

/**
 * Opens the kernel of a dump. Never fails on what is not there: `missing` says what, and what to give.
 * @throws UserError where a file that was given is of another kernel
 */
export function openKernel(memory: PhysicalMemory, sources: KernelSources): Kernel | null {
  const info = vmcoreinfoOf(sources.vmcoreinfo);
  const space = addressSpaceOf(info, pageSizeOf(sources.vmcoreinfo) ?? memory.pageSize);
  if (space === null) return null;
  const missing: string[] = [];
  const virtual = new VirtualMemory(memory, space);
  const tables: SymbolTable[] = [];
  const own = attempt(() => kallsymsOf(virtual, info));
  if (own.ok) tables.push(own.value);
  else missing.push(`kallsyms could not be read: ${own.fault.message}; give --symbols <System.map> of this kernel`);
  const anchor = anchorOf(info, own.ok ? own.value : null);
  for (const { source, symbols } of sources.linked ?? []) {
    if (anchor === null)
      throw new UserError(`${symbols.path}: nothing in the dump tells where its kernel runs, so its symbols have no addresses; give a dump with VMCOREINFO`);
    const moved = relocate(symbols, source, anchor);
    if (own.ok && !isSameKernel(own.value, moved, symbols))
      throw new UserError(
        `${symbols.path}: its functions are not where kallsyms of the dump has them: it is of another kernel; give that of ${sources.vmcoreinfo.get('OSRELEASE') ?? 'the kernel in the dump'}`,
      );
    tables.push(moved);
  }
  const symbols = joinTables(tables);
  if (own.ok && !own.value.hasData && tables.length === 1)
    missing.push(
      'kallsyms has functions alone (the kernel was built without CONFIG_KALLSYMS_ALL); give --symbols <System.map> of this kernel for its variables',
    );
  const { types, bytes, why } = typesOf(virtual, symbols, sources);
  if (why !== null) missing.push(why);
  return new Kernel({ info, release: sources.vmcoreinfo.get('OSRELEASE') ?? null, virtual, symbols, types, missing, btfBytes: bytes });
}

/** So many names are looked up in both tables. */
const SAMPLES = 64;

/** Do both tables have functions in the same places? What only one of them has tells nothing. */
function isSameKernel(own: SymbolTable, given: SymbolTable, { symbols }: LinkedSymbols): boolean {
  const functions = symbols.filter(({ type }) => type === 't' || type === 'T');
  let [same, different] = [0, 0];
  for (let sample = 0; sample < SAMPLES; sample++) {
    const name = functions[Math.floor((sample * functions.length) / SAMPLES)]?.name ?? '';
    const [mine, theirs] = [own.find(name), given.find(name)];
    if (mine.length !== 1 || theirs.length !== 1) continue;
    if (mine[0]?.address === theirs[0]?.address) same++;
    else different++;
  }
  return different <= same;
}

function kallsymsOf(virtual: VirtualMemory, info: Vmcoreinfo): SymbolTable {
  const place = (name: string): bigint => {
    const address = info.symbol(name);
    if (address === null) throw new KernelFault('no-symbol', `VMCOREINFO does not name ${name}`);
    return address;
  };
  return readKallsyms(virtual, {
    names: place('kallsyms_names'),
    count: place('kallsyms_num_syms'),
    tokenTable: place('kallsyms_token_table'),
    tokenIndex: place('kallsyms_token_index'),
    offsets: place('kallsyms_offsets'),
    relativeBase: info.symbol('kallsyms_relative_base'),
  });
}

/** A symbol whose place in the running kernel is known. */
function anchorOf(info: Vmcoreinfo, kallsyms: SymbolTable | null): KernelSymbol | null {
  for (const name of ['_stext', 'init_uts_ns', 'swapper_pg_dir']) {
    const address = info.symbol(name);
    if (address !== null) return { name, address };
  }
  return kallsyms?.find('_stext')[0] ?? null;
}

function typesOf(
  virtual: VirtualMemory,
  symbols: SymbolTable,
  sources: KernelSources,
): { types: KernelTypes | null; bytes: Uint8Array | null; why: string | null } {
  const start = symbols.find('__start_BTF')[0]?.address;
  const end = symbols.find('__stop_BTF')[0]?.address;
  const given = sources.btf ?? null;
  const fromFile = given === null ? null : new KernelTypes(given.btf, given.source);
  const instead = 'give --vmlinux <file> or --btf <file> of this kernel';
  if (start === undefined || end === undefined)
    return { types: fromFile, bytes: null, why: fromFile === null ? `no symbol names the kernel's BTF (__start_BTF, __stop_BTF); ${instead}` : null };
  const result = attempt(() => {
    if (end <= start || end - start > BigInt(MAX_BTF)) throw new KernelFault('implausible', `the BTF from ${hexOf(start)} to ${hexOf(end)} is no section`);
    return virtual.read(start, Number(end - start));
  });
  if (!result.ok)
    return { types: fromFile, bytes: null, why: fromFile === null ? `the kernel's BTF could not be read: ${result.fault.message}; ${instead}` : null };
  const opened = optional(() => {
    try {
      return openBtf(result.value, `BTF at ${hexOf(start)}`);
    } catch (error) {
      if (error instanceof UserError) throw new KernelFault('no-type', error.message);
      throw error;
    }
  });
  if (opened === null) return { types: fromFile, bytes: null, why: `the kernel's BTF at ${hexOf(start)} is damaged; ${instead}` };
  return { types: new KernelTypes(opened, 'the kernel in the dump'), bytes: result.value, why: null };
}

/** Names of a kernel's addresses, whatever table they are from: kallsyms in the dump, a System.map, a vmlinux. */

export interface KernelSymbol {
  readonly name: string;
  /** virtual, as the kernel of the dump runs */
  readonly address: bigint;
}

export interface SymbolTable {
  /** as a report names it: `kallsyms`, `System.map` … */
  readonly source: string;
  readonly count: number;
  /** are variables in it, or functions alone? */
  readonly hasData: boolean;
  /** every symbol of that name */
  find(name: string): readonly KernelSymbol[];
  /** every symbol of that name, or of that name with a number after a dot, as compilers name static variables of functions */
  findNumbered(name: string): readonly KernelSymbol[];
  /** the symbol at or before `address`, null where there is none within a mebibyte */
  nearest(address: bigint): KernelSymbol | null;
}

/** Farther from its symbol no address belongs to it. */
export const NEAREST_LIMIT = 1n << 20n;

/** Tables in turn: the first that has a name answers. */
export function joinTables(tables: readonly SymbolTable[]): SymbolTable {
  const first = (find: (table: SymbolTable) => readonly KernelSymbol[]): readonly KernelSymbol[] => {
    for (const table of tables) {
      const found = find(table);
      if (found.length > 0) return found;
    }
    return [];
  };
  return {
    source: tables.map(({ source }) => source).join(', '),
    count: Math.max(0, ...tables.map(({ count }) => count)),
    hasData: tables.some(({ hasData }) => hasData),
    find: (name) => first((table) => table.find(name)),
    findNumbered: (name) => first((table) => table.findNumbered(name)),
    nearest: (address) => {
      let best: KernelSymbol | null = null;
      for (const table of tables) {
        const found = table.nearest(address);
        if (found !== null && (best === null || found.address > best.address)) best = found;
      }
      return best;
    },
  };
}

/** Symbols in an array, by address and by name. */
export function tableOf(source: string, symbols: readonly KernelSymbol[], hasData: boolean): SymbolTable {
  const byName = new Map<string, KernelSymbol[]>();
  for (const symbol of symbols) {
    const same = byName.get(symbol.name);
    if (same === undefined) byName.set(symbol.name, [symbol]);
    else same.push(symbol);
  }
  const sorted = [...symbols].sort((a, b) => (a.address < b.address ? -1 : a.address > b.address ? 1 : 0));
  return {
    source,
    count: symbols.length,
    hasData,
    find: (name) => byName.get(name) ?? [],
    findNumbered: (name) => [...byName].flatMap(([own, same]) => (isNumbered(own, name) ? same : [])),
    nearest(address) {
      let low = 0;
      let high = sorted.length;
      while (low < high) {
        const middle = (low + high) >>> 1;
        if ((sorted[middle]?.address ?? 0n) <= address) low = middle + 1;
        else high = middle;
      }
      const found = sorted[low - 1];
      return found === undefined || address - found.address >= NEAREST_LIMIT ? null : found;
    },
  };
}

/** Is `own` `name`, or `name.12`? */
export const isNumbered = (own: string, name: string): boolean => own.startsWith(name) && /^(\.\d+)?$/.test(own.slice(name.length));

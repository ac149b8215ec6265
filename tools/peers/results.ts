/** The last results of `npm run peers`, and the page that is made of them. */
import { readFileSync } from 'node:fs';

export interface PeerRow {
  readonly dump: string;
  /** what this program was given besides the dump */
  readonly given: string | null;
  /** what it lists */
  readonly ours: string;
  readonly verdict: string;
  readonly milliseconds: number;
  readonly crash: string;
  /** with a vmlinux of that build that has no DWARF; null where none was given */
  readonly crashVmlinux: string | null;
  readonly drgnSymbol: string;
  readonly drgnType: string;
  /** a plain read of luo_session_global at the address that this program found */
  readonly drgnRead: string | null;
  /** the lists by plain reads, address, offsets and the mapping of the kernel image given */
  readonly drgnWalk: string | null;
  readonly drgnMilliseconds: number | null;
}

export interface Peers {
  readonly crash: string;
  readonly drgn: string;
  readonly rows: readonly PeerRow[];
}

export const RESULTS = 'tools/peers/results.json';

export const isMapping = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;

const cell = (text: string | null): string => (text === null ? '-' : text.replaceAll('|', '\\|'));

/** `docs/peers.md` */
export function peersDocument(): string {
  const { crash, drgn, rows }: Peers = JSON.parse(readFileSync(RESULTS, 'utf8'));
  const table = (heads: readonly string[], lines: readonly (readonly (string | null)[])[]): string =>
    [heads, heads.map(() => '---'), ...lines].map((line) => `| ${line.map(cell).join(' | ')} |`).join('\n');
  return `# The same dumps in crash and drgn

What ${crash} and drgn ${drgn} say of dumps of running kernels, beside this program. Generated from \`${RESULTS}\`, which
\`npm run peers -- <folder of dumps> [--vmlinux <file>]\` renews; it needs Debian's crash and python3-drgn.

The dumps are ELF cores that QEMU wrote of 7.3.4. All carry VMCOREINFO; the kernels have kallsyms and, but for arm64, BTF in memory. None has DWARF, and no
vmlinux with DWARF of them was at hand: with one, both tools would read types and symbols from it. That is what they need, and what a machine that
runs a distribution's kernel has only where its debug package is installed. The vmlinux in the third column is that of the same build, as it is in its bzImage: no symbols, no DWARF.

${table(
  ['dump', 'crash <dump>', 'crash vmlinux <dump>', 'drgn: luo_session_global', 'drgn: struct luo_session'],
  rows.map(({ dump, ...row }) => [`\`${dump}\``, row.crash, row.crashVmlinux, row.drgnSymbol, row.drgnType]),
)}

drgn also reads plain addresses, without types. It was given the address of \`luo_session_global\` and the offsets of its members (as this program found
them in the dump); then once more with the mapping of the kernel image added by hand, since QEMU's cores name physical addresses alone and drgn
finds the page tables through a virtual one.

${table(
  ['dump', 'drgn, unaided read', 'drgn, lists by plain reads', 'ms', 'luo-inspect', 'verdict', 'ms'],
  rows.map((row) => [
    `\`${row.dump}\`${row.given === null ? '' : ` (${row.given})`}`,
    row.drgnRead,
    row.drgnWalk,
    row.drgnMilliseconds === null ? null : `${row.drgnMilliseconds}`,
    row.ours,
    row.verdict,
    `${row.milliseconds}`,
  ]),
)}

drgn's time is that of opening the core and following two levels of lists; this program's is the whole report: finding kernel, symbols and types, the handovers, all
objects, every process's descriptors, findings and verdict, of a dump that is not compressed. A drgn script that knows nothing of LUO finds no phases; it prints what it is told to read.
`;
}

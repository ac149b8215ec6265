/** The gate on a mail series made of the layouts that VFIO and the PCI core had from mail to mail, on comments, on trees and on nonsense. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { contractById } from '../../abi/registry.js';
import type { Contract } from '../../abi/contract.js';
import type { FieldType, Struct } from '../../abi/layout.js';
import { Budget, withBudget } from '../../src/codec/budget.js';
import { layoutTable } from '../../src/codec/layout-table.js';
import { type GateResult, gateFails, gatePatches, gateStates } from '../../src/gate/gate.js';
import { readHeader } from '../../src/gate/header.js';
import { KnownFile } from '../../src/gate/known-file.js';
import { headersOfLock, lockOf } from '../../src/gate/lock.js';
import { patchesOf } from '../../src/gate/patch.js';
import { gateJson, gateText } from '../../src/report/gate-report.js';
import { storedTable } from '../abi/c-oracle.js';

const contract = (id: string): Contract => {
  const found = contractById(id);
  if (found === null) throw new Error(`no contract ${id}`);
  return found;
};

function declare(name: string, type: FieldType): string {
  switch (type.kind) {
    case 'int':
      return `${type.signed ? 's' : 'u'}${type.bytes * 8} ${name};`;
    case 'cstring':
      return `char ${name}[${type.bytes}];`;
    case 'bytes':
      return `u8 ${name}[${type.bytes}];`;
    case 'nested':
      return `struct ${type.struct.name} ${name};`;
    case 'array':
      return declare(`${name}[${type.count}]`, type.of);
    default:
      throw new Error(`no C for ${type.kind}`);
  }
}

const cOf = (struct: Struct): string =>
  [
    `/** struct ${struct.name} - ${struct.meaning} */`,
    `struct ${struct.name} {`,
    ...Object.entries(struct.fields).map(([name, type]) => `\t${declare(name, type)}\t/* ${type.meaning} */`),
    `}${struct.packed ? ' __packed' : ''};`,
    '',
  ].join('\n');

/** A header as the series would have it: strings first, then structures, the innermost first. */
const headerOf = (guard: string, marks: readonly string[], structs: readonly Struct[]): string =>
  `/* SPDX-License-Identifier: GPL-2.0 */\n#ifndef ${guard}\n#define ${guard}\n\n#include <linux/types.h>\n\n${marks.join('\n')}\n\n${[...structs].reverse().map(cOf).join('\n')}\n#endif /* ${guard} */\n`;

/** A unified diff with three lines of context. */
function unified(path: string, before: string | null, after: string): string {
  const [a, b] = [before === null ? [] : before.split('\n'), after.split('\n')];
  let head = 0;
  while (head < a.length && head < b.length && a[head] === b[head]) head++;
  let tail = 0;
  while (tail < a.length - head && tail < b.length - head && a[a.length - 1 - tail] === b[b.length - 1 - tail]) tail++;
  const from = Math.max(0, head - 3);
  const end = Math.min(3, tail);
  const lines = [
    ...a.slice(from, head).map((line) => ` ${line}`),
    ...a.slice(head, a.length - tail).map((line) => `-${line}`),
    ...b.slice(head, b.length - tail).map((line) => `+${line}`),
    ...b.slice(b.length - tail, b.length - tail + end).map((line) => ` ${line}`),
  ];
  const counts = { before: lines.filter((line) => !line.startsWith('+')).length, after: lines.filter((line) => !line.startsWith('-')).length };
  const start = before === null ? 0 : from + 1;
  return `diff --git a/${path} b/${path}\n--- ${before === null ? '/dev/null' : `a/${path}`}\n+++ b/${path}\n@@ -${start},${counts.before} +${from + 1},${counts.after} @@\n${lines.join('\n')}\n`;
}

const mail = (number: number, total: number, subject: string, diff: string): string =>
  `From 0000000000000000000000000000000000000000 Mon Sep 17 00:00:00 2001\nFrom: A Developer <dev@example.org>\nDate: Mon, 2 Nov 2026 10:00:00 +0000\nSubject: [PATCH ${number}/${total}] ${subject}\n\nWhy.\n---\n${diff}-- \n2.50.0\n\n`;

const VFIO = ['vfio-v1', 'vfio-v1-saved-state', 'vfio-pci-v1-bdf', 'vfio-pci-v1-bdf-reset', 'vfio-pci-v1-iommufd', 'vfio-pci-v1', 'vfio-pci-v2'];
const PCI = ['pci-v1-nr', 'pci-v1-max', 'pci-v1-wide', 'pci-v1', 'pci-v1-refcount', 'pci-v2-wide', 'pci-v2', 'pci-v3'];

/** Structures of two contracts whose bytes differ, by the registry's own layouts. */
function differing(a: Contract, b: Contract): readonly string[] {
  const placed = (struct: Struct): string =>
    JSON.stringify([layoutTable(struct).size, layoutTable(struct).fields.map(({ name, offset, size }) => [name, offset, size])]);
  return a.structs.filter((struct) => b.structs.some((other) => other.name === struct.name && placed(other) !== placed(struct))).map(({ name }) => name);
}

function seriesOf(ids: readonly string[], path: string, macro: string) {
  const list = ids.map(contract);
  const texts = list.map(({ compatible, structs }) => headerOf('_KHO_ABI_H', [`#define ${macro} "${compatible}"`], structs));
  const mails = texts.map((text, index) =>
    mail(index + 1, texts.length, `layout ${ids[index]}`, unified(path, index === 0 ? null : (texts[index - 1] ?? ''), text)),
  );
  const unbumped = list.flatMap((one, index) => {
    const before = list[index - 1];
    return before === undefined || before.compatible !== one.compatible ? [] : differing(before, one).map((name) => `layout ${one.id}: ${name}`);
  });
  return { text: mails.join(''), texts, unbumped };
}

const found = (result: GateResult, kind: string): readonly string[] =>
  result.findings.filter((finding) => finding.kind === kind).map(({ patch, name }) => `${patch.replace(/^\[.*?\] /, '')}: ${name}`);

const run = (text: string): GateResult => gatePatches(patchesOf(text, 'series.mbox'), { label: 'series.mbox', base: () => null });

describe.each([
  ['VFIO', VFIO, 'include/linux/kho/abi/vfio_pci.h', 'VFIO_PCI_LUO_FH_COMPATIBLE'],
  ['PCI', PCI, 'include/linux/kho/abi/pci.h', 'PCI_LUO_FLB_COMPATIBLE'],
] as const)('the layouts of the %s series', (_, ids, path, macro) => {
  const series = seriesOf(ids, path, macro);

  it('every change under an unchanged string is found, and no other', () => {
    const result = run(series.text);
    expect(series.unbumped.length).toBeGreaterThanOrEqual(3);
    expect([...found(result, 'not-bumped')].sort()).toEqual([...series.unbumped].sort());
    expect(gateFails(result)).toBe(true);
    expect(result.findings.every(({ kind }) => kind !== 'not-measured')).toBe(true);
  });

  it('mails in another order come to the same', () => {
    const mails = series.text.split(/(?=^From 0{40})/m);
    expect(found(run([...mails].reverse().join('')), 'not-bumped')).toEqual(found(run(series.text), 'not-bumped'));
  });

  it('a series that only adds comments changes nothing', () => {
    const [text = ''] = series.texts;
    const commented = text
      .replaceAll('struct ', '/* as the next kernel reads it */ struct ')
      .replace('\n\n#include', '\n/*\n * struct old { u64 a; };\n */\n#include');
    const result = run(mail(1, 2, 'new', unified(path, null, text)) + mail(2, 2, 'comments', unified(path, text, commented)));
    expect(result.findings).toEqual([]);
    expect(gateFails(result)).toBe(false);
  });
});

const memfd = (fields: string, version = 'memfd-v2', extra = ''): string =>
  `#define MEMFD_LUO_FH_COMPATIBLE\t"${version}"\n${extra}\nstruct memfd_luo_ser {\n${fields}\n} __packed;\n`;
const FIELDS = '\tu64 pos;\n\tu64 size;\n\tu32 seals;\n\tu32 flags;\n\tu64 nr_folios;\n\tstruct kho_vmalloc folios;';
const PATH = 'include/linux/kho/abi/memfd.h';
const against = (before: string, after: string): GateResult =>
  gateStates('x', new Map([[PATH, readHeader(PATH, KnownFile.of(before))]]), new Map([[PATH, readHeader(PATH, KnownFile.of(after))]]));

describe('one header', () => {
  it('two fields that changed places are named, with the releases that break', () => {
    const result = against(memfd(FIELDS), memfd(FIELDS.replace('u64 pos', 'u64 X').replace('u64 size', 'u64 pos').replace('u64 X', 'u64 size')));
    expect(result.findings).toMatchObject([{ kind: 'not-bumped', name: 'memfd_luo_ser', change: { changes: [{ kind: 'swapped' }] } }]);
    expect(result.findings[0]?.pairs.filter(({ direction }) => direction === 'from-release').map(({ release, outcome }) => `${release} ${outcome}`)).toEqual([
      '7.1 corrupts',
      '7.2 corrupts',
      '7.3 corrupts',
    ]);
    expect([...gateText(result)].join(' ').replaceAll(/\s+/g, ' ')).toContain('pos and size changed places (offset 0 and offset 8)');
    expect(gateJson(result)).toMatchObject({ schema: 'luo-inspect.abi-gate/1', verdict: 'broken' });
  });

  it('a bump is told with what the releases do about the new string', () => {
    const result = against(memfd(FIELDS), memfd(`${FIELDS}\n\tu64 more;`, 'memfd-v3'));
    expect(gateFails(result)).toBe(false);
    expect(result.findings).toMatchObject([{ kind: 'bumped', severity: 'info' }]);
    expect(result.findings[0]?.pairs).toContainEqual(expect.objectContaining({ release: '7.3', direction: 'to-release', outcome: 'open-fails' }));
  });

  it('a new name for the same bytes is no break, another sign or a changed flag is', () => {
    expect(against(memfd(FIELDS), memfd(FIELDS.replace('u32 flags', 'u32 mode'))).findings).toMatchObject([{ kind: 'renamed', severity: 'info' }]);
    expect(against(memfd(FIELDS), memfd(FIELDS.replace('u32 flags', 's32 flags'))).findings).toMatchObject([{ kind: 'not-bumped' }]);
    const flag = (bit: number): string => memfd(FIELDS, 'memfd-v2', `#define MEMFD_LUO_FOLIO_DIRTY\tBIT(${bit})`);
    expect(against(flag(0), flag(1)).findings).toMatchObject([{ kind: 'not-bumped', name: 'MEMFD_LUO_FOLIO_DIRTY', change: { changes: [{ kind: 'value' }] } }]);
  });

  it('a number can be the version', () => {
    const pci = (version: number, field: string): string =>
      `#define PCI_LUO_FLB_VERSION ${version}\nstruct pci_ser { u32 version; u32 nr_devices; u64 ${field}; } __packed;`;
    expect(against(pci(1, 'devices'), pci(2, 'a; u64 devices')).findings).toMatchObject([{ kind: 'bumped' }]);
    expect(against(pci(1, 'devices'), pci(1, 'a; u64 devices')).findings).toMatchObject([{ kind: 'not-bumped' }]);
  });

  it('a header without a version needs one elsewhere in the patch', () => {
    expect(
      against('struct kho_block_header_ser { u64 next; u64 count; } __packed;', 'struct kho_block_header_ser { u64 count; u64 next; } __packed;').findings,
    ).toMatchObject([{ kind: 'no-version', severity: 'error' }]);
  });

  it('what cannot be laid out is said, and what a patch shows in part asks for the tree', () => {
    expect(against(memfd(FIELDS), memfd(`${FIELDS}\n#ifdef CONFIG_X\n\tu64 x;\n#endif`)).findings).toMatchObject([
      { kind: 'not-measured', severity: 'warning' },
    ]);
    const text = `diff --git a/${PATH} b/${PATH}\n--- a/${PATH}\n+++ b/${PATH}\n@@ -80,3 +80,4 @@ struct memfd_luo_ser {\n \tu32 flags;\n+\tu32 more;\n \tu64 nr_folios;\n \tstruct kho_vmalloc folios;\n`;
    const whole = `${'\n'.repeat(75)}${memfd(FIELDS)}`;
    const tree = gatePatches(patchesOf(text, 'x'), { label: 'x', base: () => `${'\n'.repeat(74)}${memfd(FIELDS)}` });
    expect(whole.split('\n').indexOf('\tu32 flags;')).toBeGreaterThan(78);
    expect(tree.findings).toMatchObject([{ kind: 'not-bumped', name: 'memfd_luo_ser' }]);
  });

  it('a lock says of a tree what the tree itself says', () => {
    const headers = new Map([[PATH, readHeader(PATH, KnownFile.of(memfd(FIELDS)))]]);
    const back = headersOfLock(JSON.stringify(lockOf(headers)), 'abi.lock');
    expect(gateStates('x', back, headers).findings).toEqual([]);
    expect(gateStates('x', back, new Map([[PATH, readHeader(PATH, KnownFile.of(memfd(`u8 x;\n${FIELDS}`)))]])).findings).toMatchObject([
      { kind: 'not-bumped' },
    ]);
    expect(() => headersOfLock('{}', 'abi.lock')).toThrow(/no lock/);
  });
});

it('lays out C as the C compiler does', () => {
  const table = storedTable();
  for (const pageSize of [4096, 65536]) {
    const header = readHeader('contracts.h', KnownFile.of(readFileSync('test/fixtures/c/contracts.h', 'utf8')), pageSize);
    expect(header.unmeasured).toEqual([]);
    for (const [name, layout] of Object.entries(table[pageSize] ?? {})) {
      const measured = header.structs.get(name);
      expect(measured?.size, name).toBe(layout.size);
      for (const [field, { offset }] of Object.entries(layout.fields)) {
        const leaf = measured?.leaves.find(({ path }) => path === field || path.startsWith(`${field}.`) || path.startsWith(`${field}[]`));
        if (leaf !== undefined) expect(leaf.bitOffset, `${name}.${field}`).toBe(offset * 8);
        else expect(layout.fields[field]?.size, `${name}.${field}`).toBe(0);
      }
    }
  }
});

it('reads constants that follow from the page size', () => {
  const text = `enum kho_radix_consts {
	KHO_ORDER_0_LOG2 = 64 - PAGE_SHIFT,
	KHO_TABLE_SIZE_LOG2 = const_ilog2(PAGE_SIZE / sizeof(phys_addr_t)),
	KHO_BITMAP_SIZE_LOG2 = PAGE_SHIFT + const_ilog2(BITS_PER_BYTE),
	KHO_TREE_MAX_DEPTH = DIV_ROUND_UP(KHO_ORDER_0_LOG2 - KHO_BITMAP_SIZE_LOG2, KHO_TABLE_SIZE_LOG2) + 1,
};
struct leaf { DECLARE_BITMAP(bitmap, 1 << KHO_BITMAP_SIZE_LOG2); DECLARE_KHOSER_PTR(next, struct leaf *); };`;
  const { numbers, structs } = readHeader('x.h', KnownFile.of(text));
  expect(numbers.get('KHO_TREE_MAX_DEPTH')).toBe(6n);
  expect(structs.get('leaf')?.size).toBe(4096 + 8);
});

it('is not hung or thrown by nonsense', () => {
  for (const text of [
    'struct a { struct a b; };',
    '#define A B\n#define B A\nstruct x { u8 a[A]; };',
    'struct x { u8 a[1 << 9999]; };',
    `struct ${'{'.repeat(5000)}`,
    `#define A ${'('.repeat(3000)}1\nstruct x { u8 a[A]; };`,
    'struct x { u8 a[1/0]; };',
  ])
    expect(readHeader('x.h', KnownFile.of(text)).structs.size).toBe(0);
  expect(() => patchesOf('hello', 'x')).toThrow(/no diff/);
});

it.each([
  [
    'structures of nothing, doubled and doubled',
    `struct s0 { };\n${Array.from({ length: 30 }, (_, at) => `struct s${at + 1} { struct s${at} a; struct s${at} b; };`).join('\n')}`,
  ],
  ['macros that lead to each other', Array.from({ length: 400 }, (_, at) => `#define A${at} A${at + 1}`).join('\n')],
  [
    'fields by the thousand, opened up again and again',
    `struct e { ${'u8 a; '.repeat(3000)}};\n${'struct s { struct e a; };\n'.repeat(4)}struct t { struct e a; };`,
  ],
])('%s end at gate-lines', (_, text) => {
  const budget = new Budget({ 'gate-lines': 6000 });
  expect(() => withBudget(budget, () => readHeader('x.h', KnownFile.of(text)))).toThrow(
    /x\.h: more than 6000 lines, fields and macros .*--limit gate-lines=48000/,
  );
});

it('a bracket that is not closed ends with its statement', () => {
  const { structs, unmeasured } = readHeader('x.h', KnownFile.of('struct a { DECLARE_BITMAP(x; };\nstruct b { u8 x[; };\nstruct c { u8 x; };'));
  expect([...structs.keys()]).toEqual(['c']);
  expect(unmeasured.map(({ name, problem }) => `${name}: ${problem}`)).toEqual(['a: line 1: a bracket is not closed', 'b: line 2: a bracket is not closed']);
});

it('a review that quotes a patch is read as the patch', () => {
  const [first, second] = [memfd(FIELDS), memfd(`${FIELDS}\n\tu64 more;`)];
  const series = mail(1, 2, 'new', unified(PATH, null, first)) + mail(2, 2, 'more', unified(PATH, first, second));
  const quoted = series.replaceAll(/^(diff |@@|[ +-]).*$/gm, '> $&');
  expect(found(run(quoted), 'not-bumped')).toEqual(['more: memfd_luo_ser']);
  expect(run(quoted).findings).toEqual(run(series).findings);
});

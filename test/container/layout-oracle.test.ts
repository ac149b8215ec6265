/** The layouts of the file formats against C: the system's <elf.h>, and makedumpfile's and LiME's structures declared as in their headers. */
import { execFileSync, spawnSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { elf64Ehdr, elf64Nhdr, elf64Phdr, elf64Shdr } from '../../abi/elf/elf64.js';
import { diskDumpHeader, kdumpSubHeader, newUtsname, pageDesc } from '../../abi/kdump/kdump.js';
import type { Struct } from '../../abi/layout.js';
import { limeHeader } from '../../abi/lime/v1.js';
import { layoutTable } from '../../src/codec/layout-table.js';
import { scratchFolder } from './inputs.js';

const { fileOf, temporary } = scratchFolder();

const declarations = `
#include <stddef.h>
#include <stdio.h>
#include <sys/time.h>
#include <sys/types.h>
struct new_utsname { char sysname[65], nodename[65], release[65], version[65], machine[65], domainname[65]; };
struct disk_dump_header { char signature[8]; int header_version; struct new_utsname utsname; struct timeval timestamp; unsigned int status;
  int block_size; int sub_hdr_size; unsigned int bitmap_blocks, max_mapnr, total_ram_blocks, device_blocks, written_blocks, current_cpu; int nr_cpus; };
struct kdump_sub_header { unsigned long phys_base; int dump_level; int split; unsigned long start_pfn, end_pfn; off_t offset_vmcoreinfo;
  unsigned long size_vmcoreinfo; off_t offset_note; unsigned long size_note; off_t offset_eraseinfo; unsigned long size_eraseinfo;
  unsigned long long start_pfn_64, end_pfn_64, max_mapnr_64; };
struct page_desc { off_t offset; unsigned int size, flags; unsigned long long page_flags; };
typedef struct { unsigned int magic, version; unsigned long long s_addr, e_addr; unsigned char reserved[8]; } __attribute__((__packed__)) lime_mem_range_header;
`;

/** Fields that C names otherwise. */
const inC: Readonly<Record<string, string>> = { tv_sec: 'timestamp.tv_sec', tv_usec: 'timestamp.tv_usec' };

const types: readonly (readonly [type: string, struct: Struct])[] = [
  ['Elf64_Ehdr', elf64Ehdr],
  ['Elf64_Phdr', elf64Phdr],
  ['Elf64_Shdr', elf64Shdr],
  ['Elf64_Nhdr', elf64Nhdr],
  ['struct new_utsname', newUtsname],
  ['struct disk_dump_header', diskDumpHeader],
  ['struct kdump_sub_header', kdumpSubHeader],
  ['struct page_desc', pageDesc],
  ['lime_mem_range_header', limeHeader],
];

function compiled(): ReadonlyMap<string, string> {
  const lines = types.flatMap(([type, struct]) => [
    `printf("${struct.name} %zu\\n", sizeof(${type}));`,
    ...Object.keys(struct.fields).map(
      (name) => `printf("${struct.name}.${name} %zu %zu\\n", offsetof(${type}, ${inC[name] ?? name}), sizeof(((${type} *)0)->${inC[name] ?? name}));`,
    ),
  ]);
  const source = fileOf('layouts.c', `#include <elf.h>\n${declarations}int main(void) {\n${lines.join('\n')}\nreturn 0; }\n`);
  execFileSync('gcc', ['-o', temporary('layouts'), source]);
  const out = execFileSync(temporary('layouts'), { encoding: 'utf8' });
  return new Map(
    out
      .trim()
      .split('\n')
      .map((line) => [line.slice(0, line.indexOf(' ')), line.slice(line.indexOf(' ') + 1)]),
  );
}

const is64 = process.arch === 'x64' || process.arch === 'arm64';
if (process.platform === 'linux' && is64 && spawnSync('gcc', ['--version']).error === undefined)
  test('oracle gcc: offsets and sizes of ELF, kdump and LiME structures', () => {
    const known = compiled();
    for (const [, struct] of types) {
      const table = layoutTable(struct);
      expect([struct.name, known.get(struct.name)]).toEqual([struct.name, String(table.size)]);
      for (const { name, offset, size } of table.fields)
        expect([`${struct.name}.${name}`, known.get(`${struct.name}.${name}`)]).toEqual([`${struct.name}.${name}`, `${offset} ${size}`]);
    }
  });

describe('sizes that the formats fix', () => {
  test.each([
    [elf64Ehdr, 64],
    [elf64Phdr, 56],
    [elf64Shdr, 64],
    [elf64Nhdr, 12],
    [pageDesc, 24],
    [limeHeader, 32],
  ] as const)('$name', (struct, size) => {
    expect(layoutTable(struct).size).toBe(size);
  });
});

/**
 * A small handover for the views' tests: real bytes in real layouts, made here, so that every row a test expects can be read
 * off this file.
 */
import { khoVmalloc } from '../../abi/kho/vmalloc.js';
import { luoSessionSer } from '../../abi/luo/entries.js';
import { memfdLuoFolioSer } from '../../abi/memfd/folio.js';
import { memfdLuoSerV2 } from '../../abi/memfd/v2.js';
import { AddressIndex } from '../../src/address/address-index.js';
import { encodeStruct } from '../../src/codec/encode.js';
import { sizeOf } from '../../src/codec/layout-table.js';
import { Node } from '../../src/tree/node.js';
import { readStruct } from '../../src/tree/reading.js';
import type { TreeNode } from '../../src/tree/tree.js';
import { bufferMemory } from '../../src/memory/buffer-memory.js';
import type { PhysicalMemory } from '../../src/memory/memory.js';
import type { InspectorModel } from '../../src/tui/inspector/state.js';

const SESSION = 0x10f000;
export const MEMFD = 0x110040;
export const FOLIOS = 0x111000;
/** inside the machine's memory, left out of the dump */
const EXCLUDED = 0x114000;
const MEMORY_END = 0x118000;
/** entries of the bulk table */
export const BULK = 100_000;

const page = (parts: readonly { readonly at: number; readonly bytes: Uint8Array }[]): Uint8Array => {
  const out = new Uint8Array(4096);
  for (const part of parts) out.set(part.bytes, part.at);
  return out;
};

function fixtureMemory(): PhysicalMemory {
  const session = encodeStruct(luoSessionSer, { name: 'vm-0' });
  const memfd = encodeStruct(memfdLuoSerV2, { pos: 5n, size: 0x3000n, seals: 0x9, nr_folios: 2n, folios: encodeFields() });
  const folio = (pfn: number, index: number): Uint8Array => encodeStruct(memfdLuoFolioSer, { pfn_flags: { pfn, flags: 3 }, index: BigInt(index) });
  const inner = bufferMemory([
    { start: SESSION, bytes: page([{ at: 0, bytes: session }]) },
    { start: MEMFD - 0x40, bytes: page([{ at: 0x40, bytes: memfd }]) },
    { start: FOLIOS, bytes: page([folio(0x10abc, 0), folio(0x10abd, 1)].map((bytes, index) => ({ at: index * bytes.length, bytes }))) },
  ]);
  return { ...inner, stateOf: (address) => (inner.stateOf(address) === 'out-of-range' && address < MEMORY_END ? 'excluded' : inner.stateOf(address)) };
}

const encodeFields = () => ({ first: BigInt(FOLIOS), total_pages: 1, flags: 0, order: 0 });

/** What a fixture's nodes were asked for, so that tests see that a bulk table stays closed. */
interface Opened {
  bulk: number;
}

function fixtureRoots(memory: PhysicalMemory, opened: Opened = { bulk: 0 }): readonly TreeNode[] {
  const root = new Node('incoming', 'incoming', { meaning: 'kho-v4' });
  const luo = root.group('luo', { meaning: 'luo-v5' });
  const sessions = luo.group('sessions', { meaning: '2 sessions' });
  const first = sessions.add(readStruct(memory, luoSessionSer, SESSION, { path: 'incoming/luo/sessions/vm-0', name: 'vm-0' }).node);
  const files = new Node('incoming/luo/sessions/vm-0/files', 'files', { meaning: '1 file' });
  first.children();
  first.add(files);
  const file = files.group('0x1', { meaning: 'memfd-v2' });
  const data = new Node(`${file.path}/data`, 'data', {
    type: 'u64',
    bits: 64,
    address: SESSION + 0x80,
    value: BigInt(MEMFD),
    role: 'phys',
    description: "the handler's state",
  });
  data.pointer = MEMFD;
  data.target = `${file.path}/memfd_luo_ser`;
  file.add(data);
  file.add(readStruct(memory, memfdLuoSerV2, MEMFD, { path: `${file.path}/memfd_luo_ser`, name: 'memfd_luo_ser' }).node);
  const folios = file.group('folios', { meaning: '2 folios' });
  const size = sizeOf(memfdLuoFolioSer);
  for (const index of [0, 1]) {
    folios.add(
      readStruct(memory, memfdLuoFolioSer, FOLIOS + index * size, { path: `${folios.path}/${index}`, name: `[${index}]`, bitOffset: index * size * 8 }).node,
    );
  }
  sessions.add(readStruct(memory, luoSessionSer, EXCLUDED, { path: 'incoming/luo/sessions/web', name: 'web\u001b[31m\u202e' }).node);
  root.add(
    new Node('incoming/bulk', 'bulk', {
      type: `struct entry[${BULK}]`,
      meaning: `${BULK} entries`,
      children: () => {
        opened.bulk++;
        return Array.from(
          { length: BULK },
          (_, index) => new Node(`incoming/bulk/${index}`, `[${index}]`, { type: 'u64', bits: 64, address: FOLIOS, value: BigInt(index) }),
        );
      },
    }),
  );
  root.add(readStruct(memory, khoVmalloc, 0xffff0000, { path: 'incoming/far', name: 'far' }).node);
  return [root];
}

export function fixtureModel(opened?: Opened): InspectorModel {
  const memory = fixtureMemory();
  return {
    title: 'fixture.elf  elf-core  Linux 7.3.4',
    overview: ['fixture.elf: ELF core, 12 KiB, x86_64', '1 handover: incoming, kho-v4, luo-v5', '2 sessions, 1 file'],
    roots: fixtureRoots(memory, opened),
    memory,
    image: null,
    path: 'fixture.elf',
    headline: { text: 'Not everything can be retrieved in the next kernel.', word: 'retrieve-fails EOPNOTSUPP', severity: 'error' },
    handovers: [],
    fates: () => new Map(),
    addresses: () => new AddressIndex({ memory, handovers: [] }),
    objects: [],
    series: null,
    releases: ['7.1', '7.3'],
    contractsAgainst: (release) => [`Can ${release} take over? yes`],
    log: [
      { number: 11, text: 'KHO: found kexec handover data at 0x10f000' },
      { number: 12, text: 'luo: something about sessions' },
    ],
    ruleText: (id) => (id === 'memfd/seals' ? ['memfd/seals (error, retrieve)', '  Seals that the kernel does not know.'] : null),
    findings: [
      {
        severity: 'error',
        rule: 'memfd/seals',
        message: 'seals 0x9 hold a bit that is not known',
        at: MEMFD + 16,
        path: 'incoming/luo/sessions/vm-0/files/0x1/memfd_luo_ser/seals',
        reaction: 'retrieve fails with EOPNOTSUPP',
      },
      {
        severity: 'warning',
        rule: 'luo/session-page',
        message: 'the page of a session is not in this dump',
        at: EXCLUDED,
        path: 'incoming/luo/sessions/web',
        reaction: null,
      },
      { severity: 'info', rule: 'kho/moment', message: 'taken before the next kernel looked', at: null, path: null, reaction: null },
    ],
  };
}

const NO_PLACE = { style: 'plain', object: '', path: null, address: null } as const;

/** What the running kernel says of the fixture's session. */
export const OBJECTS: InspectorModel['objects'] = [
  { ...NO_PLACE, depth: 0, name: 'KHO', text: 'finalised, kexec 1, after 7.3.4', style: 'label' },
  { ...NO_PLACE, depth: 1, name: 'incoming FDT', text: '0x10f000', style: 'address', address: SESSION },
  { ...NO_PLACE, depth: 1, name: 'outgoing FDT', text: 'none', style: 'dim' },
  { ...NO_PLACE, depth: 0, name: 'LUO', text: 'sessions were deserialised', style: 'label' },
  { ...NO_PLACE, depth: 1, name: 'incoming', text: '1 session', style: 'label' },
  {
    ...NO_PLACE,
    depth: 2,
    name: 'vm-0',
    text: 'waiting, 1 file, open in vmm (211) as 7',
    object: 'struct luo_session at 0xffff888003a10800',
    path: 'incoming/luo/sessions/vm-0',
  },
  {
    ...NO_PLACE,
    depth: 3,
    name: '0x1',
    text: 'memfd-v2, retrieve-failed, retrieve failed, EOPNOTSUPP, memfd_luo_file_ops',
    style: 'error',
    object: 'struct luo_file at 0xffff888003a11000',
    path: 'incoming/luo/sessions/vm-0/files/0x1',
  },
];

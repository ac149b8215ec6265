/** The page ledger against a naive account of single pages, over every capture that ships, and along a chain of kernels. */
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadDump } from '../../src/cli/load-dump.js';
import { EngineClient } from '../../src/engine/client.js';
import { parseScenario } from '../../src/engine/scenario/parse.js';
import { decodeHandovers } from '../../src/handover/decode.js';
import { growthOf } from '../../src/handover/ledger/growth.js';
import { type Ledger, readLedger } from '../../src/handover/ledger/ledger.js';
import { overlayMemory } from '../../src/memory/overlay.js';
import { ledgerChain, ledgerOf } from '../../src/report/ledger-model.js';

function* captures(folder: string): Iterable<string> {
  for (const name of readdirSync(folder).sort()) {
    const path = join(folder, name);
    if (name.endsWith('.elf.xz')) yield path;
    else if (statSync(path).isDirectory()) yield* captures(path);
  }
}

/** Page by page: how many pages of the map each file's folios have, counted with a set. */
function naive(ledger: Ledger) {
  const { handover, pageSize } = ledger;
  const preserved = new Map<number, number>();
  for (const { start, order } of handover.map?.blocks() ?? [])
    for (let page = 0; page < 2 ** order; page++) preserved.set(start / pageSize + page, (preserved.get(start / pageSize + page) ?? 0) + 1);
  const files = new Map<string, Set<number>>();
  for (const session of handover.luo?.sessions ?? []) {
    for (const file of session.files) {
      if (file.decoded?.kind !== 'memfd') continue;
      const pages = new Set<number>([Number(file.data) / pageSize]);
      for (const chunk of file.decoded.area?.chunks ?? []) pages.add(chunk / pageSize);
      for (const block of file.decoded.area?.blocks ?? []) pages.add(block / pageSize);
      for (const folio of file.decoded.folios()) for (let page = 0; page < (file.decoded.pagesOf(folio, null) ?? 1); page++) pages.add(folio.pfn + page);
      files.set(file.path, pages);
    }
  }
  return { preserved, files };
}

let booked = 0;

describe.each([...captures('samples')])('%s', (path) => {
  it('books every preserved page once', async () => {
    const { opened, report } = await loadDump(path, { log: false });
    try {
      for (const handover of report.handovers) {
        const ledger = readLedger(handover, opened.memory);
        expect(ledger === null).toBe(handover.map === null);
        if (ledger === null) continue;
        booked++;
        const { preserved, files } = naive(ledger);
        const twice = [...preserved.values()].filter((count) => count > 1).length;
        expect(ledger.entries.reduce((sum, entry) => sum + entry.pages, 0)).toBe(preserved.size + twice);
        expect(ledger.twice > 0).toBe(twice > 0);
        expect(ledger.uncounted).toBe(0);
        for (const [file, pages] of files) {
          const entry = ledger.entries.find(({ owner }) => owner.path === file);
          const inMap = [...pages].filter((page) => preserved.has(page)).length;
          expect([entry?.pages, entry?.unpreserved], file).toEqual([inMap, pages.size - inMap]);
        }
      }
    } finally {
      opened.close();
    }
  });
});

it('most captures have a map to book', () => {
  expect(booked).toBeGreaterThan(25);
});

async function ledgerOfCapture(path: string) {
  const { opened, report } = await loadDump(path, { log: false });
  const { ledger, scratch } = ledgerOf(path, report.decoded);
  opened.close();
  return { ledger, scratch };
}

it('a folio whose frame number was changed: one page used without being preserved, one preserved for nobody', async () => {
  const { opened, report } = await loadDump('samples/failed/pfn/s2-at-kho_memory_init.sparse.elf.xz', { log: false });
  // As truth.json has it: the second entry of the folio table of web/2, and what stood there.
  const healed = overlayMemory(opened.memory, [{ address: 0x42b7010, bytes: Uint8Array.of(0xe7, 0x23, 0, 0, 0, 0, 0x30, 0) }]);
  const after = ledgerOf('', report.decoded).ledger;
  const before = ledgerOf('', decodeHandovers({ memory: healed, runningRelease: '7.3.4' })).ledger;
  opened.close();
  const of = (ledger: Ledger | null, name: string) => ledger?.entries.find(({ owner }) => owner.name === name);
  expect(after?.pages).toBe(before?.pages);
  expect(of(before, 'web/0x2')).toMatchObject({ unpreserved: 0 });
  expect(of(after, 'web/0x2')).toMatchObject({ unpreserved: 1, pages: (of(before, 'web/0x2')?.pages ?? 0) - 1 });
  expect(of(after, 'nobody')?.pages).toBe((of(before, 'nobody')?.pages ?? 0) + 1);
});

it('the pages the guest filled are the pages booked', async () => {
  const { ledger, scratch } = await ledgerOfCapture('samples/handover-7.3/s2-at-kho_memory_init.sparse.elf.xz');
  const pagesOf = (name: string) => ledger?.entries.find(({ owner }) => owner.name === name)?.pages;
  // 8 MiB and a table of 2048 entries of 16 bytes (8 pages) with its chunk, and memfd_luo_ser.
  expect(pagesOf('vm-0/0x3')).toBe(2048 + 8 + 1 + 1);
  expect(pagesOf('labmem')).toBe(512);
  expect(pagesOf('KHO')).toBe(1);
  // The chunk that leads to the KHO test's list is not in this dump.
  expect(ledger?.entries.find(({ owner }) => owner.kind === 'kho-test')).toMatchObject({ pages: 3, unread: 20n });
  expect(scratch?.text).not.toContain('preserved pages are in it');
  expect(scratch?.bytes).toBeGreaterThan(0);
});

describe('along a chain of kernels', () => {
  const scenario = parseScenario(
    `schema: luo-inspect.scenario/1
title: a file that grows from kernel to kernel
kernels: ["7.3", "7.3", "7.3"]
steps:
  - { do: open, as: luo }
  - { do: create-session, name: vm, as: s }
  - { do: memfd, as: ram, size: 64KiB, fill: [ { page: 0, pages: 16, seed: 8 } ] }
  - { do: preserve, session: s, fd: ram, token: 1 }
  - { do: kexec }
  - { do: open, as: luo }
  - { do: retrieve-session, name: vm, as: r }
  - { do: retrieve, session: r, token: 1 }
  - { do: finish, session: r }
  - { do: create-session, name: vm, as: s }
  - { do: memfd, as: more, size: 256KiB, fill: [ { page: 0, pages: 64, seed: 8 } ] }
  - { do: preserve, session: s, fd: more, token: 1 }
  - { do: kexec }
  - { do: open, as: luo }
  - { do: retrieve-session, name: vm, as: r }
  - { do: retrieve, session: r, token: 1 }
  - { do: finish, session: r }
`,
    'chain.yaml',
  );
  const client = EngineClient.ofScenario(scenario);
  client.toEnd();
  const images = client.moments.filter(({ moment }) => moment === 'frozen').map(({ step }) => client.imageAtStep(step).memory);

  it('tells how much each owner grew', () => {
    expect(client.end?.expectationsMet).toBe(true);
    const chain = ledgerChain(images.map((memory, index) => ledgerOf(`${index}`, decodeHandovers({ memory }))));
    expect(chain.growth?.[0]).toMatchObject({ kind: 'file', name: 'vm/0x1', change: 48, leaked: 0 });
  });

  it('names the owner whose pages nobody claims any more', () => {
    const [memory] = images;
    if (memory === undefined) throw new Error('no frozen moment');
    const before = decodeHandovers({ memory });
    const [handover] = before.handovers;
    const pointer = handover?.luo?.sessions?.[0]?.reading.field('file_set_ser.files').address;
    if (pointer === null || pointer === undefined) throw new Error('no files');
    const forgotten = overlayMemory(memory, [{ address: pointer, bytes: new Uint8Array(16) }]);
    const ledgers = [before, decodeHandovers({ memory: forgotten })].flatMap((dump) => ledgerOf('', dump).ledger ?? []);
    expect(ledgers).toHaveLength(2);
    expect(growthOf(ledgers).find(({ kind }) => kind === 'file')).toMatchObject({ name: 'vm/0x1', leaked: ledgers[0]?.entries[0]?.pages });
  });
});

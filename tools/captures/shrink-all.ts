/**
 * `npm run captures -- --shrink <folder>`: shrinks every dump below a folder, and looks into what comes of it: the same report, and no page
 * that belongs to a memfd of the whole dump.
 */
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadDecoded } from '../../src/cli/load-dump.js';
import { shrinkDump } from '../../src/cli/shrink.js';
import { UserError } from '../../src/codec/user-error.js';
import { openDump } from '../../src/container/open.js';
import { atEnd } from '../../src/codec/at-end.js';

interface ShrinkResult {
  readonly dump: string;
  /** pages of memfds that the whole dump has, zero pages apart */
  readonly contents: number;
  readonly bytes: number;
  /** what is not as it should be, a sentence each; null where the dump can't be read at all, and says so */
  readonly wrong: readonly string[] | null;
  readonly refused: string | null;
}

const DUMP = /\.elf(\.(xz|zst|gz))?$/;
/** Dumps of whole machines take long and hold nothing that the sparse ones beside them lack. */
const WHOLE = /\.full\.elf/;

export async function* shrinkAll(folder: string): AsyncIterable<ShrinkResult> {
  for (const name of readdirSync(folder).sort()) {
    const path = join(folder, name);
    if (DUMP.test(name) && !WHOLE.test(name)) yield await shrinkOne(path);
    else if (statSync(path).isDirectory()) yield* shrinkAll(path);
  }
}

async function shrinkOne(dump: string): Promise<ShrinkResult> {
  const folder = mkdtempSync(join(tmpdir(), 'luo-inspect-captures-'));
  try {
    const output = join(folder, 'small.elf');
    const { bytes, difference } = await shrinkDump(dump, { output, format: 'elf' });
    const contents = await contentsOf(dump);
    const kept = await pagesIn(output, contents);
    const wrong = [
      ...(difference === null ? [] : [`its report differs, first at ${difference}`]),
      ...(kept === 0 ? [] : [`${kept} pages of memfds are in it`]),
    ];
    return { dump, contents: contents.size, bytes, wrong, refused: null };
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return { dump, contents: 0, bytes: 0, wrong: null, refused: error.message };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const hashOf = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('base64');
const isZero = (bytes: Uint8Array): boolean => bytes.every((byte) => byte === 0);

/** Hashes of all pages that memfds list, where no structure is. */
async function contentsOf(path: string): Promise<ReadonlySet<string>> {
  const { opened, decoded } = await loadDecoded(path);
  using _opened = atEnd(() => opened.close());
  const { memory } = opened;
  const found = new Set<string>();
  const page = new Uint8Array(memory.pageSize);
  for (const { luo, references, map } of decoded.handovers) {
    const structures = new Set([...references.map(({ address }) => address), ...(map?.structurePages ?? [])]);
    for (const { files } of luo?.sessions ?? [])
      for (const { decoded: file } of files)
        for (const { pfn, pages } of file?.kind === 'memfd' ? file.runs() : [])
          for (let at = pfn * page.length; at < (pfn + pages) * page.length; at += page.length) {
            if (structures.has(at)) continue;
            // A damaged table may list more pages than there are.
            if (memory.readInto(at, page.length, page) < page.length) break;
            if (!isZero(page)) found.add(hashOf(page));
          }
  }
  return found;
}

async function pagesIn(path: string, contents: ReadonlySet<string>): Promise<number> {
  const { memory, close } = await openDump(path);
  using _close = atEnd(() => close());
  let found = 0;
  const page = new Uint8Array(memory.pageSize);
  for (const { start, end } of memory.readable)
    for (let at = start; at < end; at += page.length) if (memory.readInto(at, page.length, page) === page.length && contents.has(hashOf(page))) found++;
  return found;
}

/** Contents of memfds: against the SHA-256 that the guest computed, and around pages, folios and tables that are missing. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { openDump } from '../../src/container/open.js';
import { type ContentPiece, readContents } from '../../src/handover/contents.js';
import { type DecodedDump, decodeHandovers } from '../../src/handover/decode.js';
import type { Memfd } from '../../src/handover/memfd.js';
import type { PhysicalMemory } from '../../src/memory/memory.js';
import { overlayMemory } from '../../src/memory/overlay.js';

async function memfds(dump: string): Promise<{ memory: PhysicalMemory; decoded: DecodedDump; files: readonly { name: string; memfd: Memfd }[] }> {
  const { memory } = await openDump(`samples/${dump}.sparse.elf.xz`);
  const decoded = decodeHandovers({ memory, runningRelease: '7.3.4' });
  const files = decoded.handovers.flatMap((handover) =>
    (handover.luo?.sessions ?? []).flatMap((session) =>
      session.files.flatMap((file) =>
        file.decoded?.kind === 'memfd' ? [{ name: `${session.name.text.slice(0, 6)}/${file.token}`, memfd: file.decoded }] : [],
      ),
    ),
  );
  return { memory, decoded, files };
}

const lengthOf = (piece: ContentPiece): number => ('bytes' in piece ? piece.bytes.length : piece.length);

describe.each(['handover-7.3/s1-frozen', 'handover-7.1/s2-at-kho_memory_init', 'vfio-7.3/s1-frozen', 'failed/early-finish/s1-frozen'])('%s', (dump) => {
  it('pieces follow each other without a gap, to the size of the file', async () => {
    const { memory, files } = await memfds(dump);
    for (const { memfd } of files) {
      let at = 0;
      for (const piece of readContents(memfd, memory)) {
        expect(piece.offset).toBe(at);
        at += lengthOf(piece);
      }
      expect(at).toBe(Number(memfd.size));
    }
  });

  it('what is there whole has a SHA-256 that the guest computed, and the rest is said to be missing', async () => {
    const { memory, files } = await memfds(dump);
    const truth = readFileSync(`samples/${dump.split('/').slice(0, -1).join('/')}/truth.json`, 'utf8');
    let whole = 0;
    for (const { memfd, name } of files) {
      const pieces = [...readContents(memfd, memory)];
      if (pieces.some((piece) => 'missing' in piece)) continue;
      const hash = createHash('sha256');
      for (const piece of pieces) hash.update('bytes' in piece ? piece.bytes : new Uint8Array(piece.length));
      expect([name, truth.includes(hash.digest('hex'))]).toEqual([name, true]);
      whole++;
    }
    expect(whole).toBeGreaterThanOrEqual(3);
  });
});

describe('damage', () => {
  const entry = async (patch: (address: number) => { address: number; bytes: Uint8Array }): Promise<readonly ContentPiece[]> => {
    const { memory, files } = await memfds('failed/early-finish/s1-frozen');
    const found = files.find(({ memfd }) => memfd.readableFolios === 2);
    const address = found?.memfd.entryAddress(0) ?? null;
    if (found === undefined || address === null) throw new Error('no memfd of two folios');
    const changed = overlayMemory(memory, [patch(address)]);
    const decoded = decodeHandovers({ memory: changed, runningRelease: '7.3.4' });
    for (const session of decoded.handovers[0]?.luo?.sessions ?? [])
      for (const file of session.files)
        if (file.decoded?.kind === 'memfd' && file.decoded.node.address === found.memfd.node.address) return [...readContents(file.decoded, changed)];
    throw new Error('the memfd is gone');
  };

  it('an entry with pfn 0 is a hole', async () => {
    const pieces = await entry((address) => ({ address, bytes: new Uint8Array(8) }));
    expect(pieces[0]).toEqual({ offset: 0, length: 4096, hole: true });
    expect(pieces[1]).toMatchObject({ offset: 4096 });
  });

  it('a folio that is not preserved is not shown as the file’s', async () => {
    const pieces = await entry((address) => ({ address, bytes: Uint8Array.of(0x10, 0x11, 0, 0, 0, 0, 0x30, 0) }));
    expect(pieces[0]).toMatchObject({ offset: 0, length: 4096, missing: 'unknown', address: 0x1110000 });
  });
});

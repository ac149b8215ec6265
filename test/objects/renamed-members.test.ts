/** Kernels whose structures have members of other names: what the kernel's own BTF lacks is told, and the rest is shown. */
import { expect, it } from 'vitest';
import { decodeDump } from '../../src/cli/decode-dump.js';
import { loadObjects } from '../../src/cli/load-objects.js';
import { openDump } from '../../src/container/open.js';
import type { PhysicalMemory } from '../../src/memory/memory.js';
import { overlayMemory, type Patch } from '../../src/memory/overlay.js';

const DUMP = 'test/fixtures/objects/objects-7.3-s2-partly.elf.xz';

/** The same memory with one letter of a name changed wherever it stands between two NULs: in the BTF's strings. */
function renamed(memory: PhysicalMemory, name: string): PhysicalMemory {
  const patches: Patch[] = [];
  const wanted = Buffer.from(`\0${name}\0`);
  for (const { start, end } of memory.readable) {
    const bytes = Buffer.alloc(end - start);
    memory.readInto(start, bytes.length, bytes);
    for (let at = bytes.indexOf(wanted); at !== -1; at = bytes.indexOf(wanted, at + 1)) patches.push({ address: start + at + 1, bytes: Uint8Array.of(0x7a) });
  }
  expect(patches.length).toBeGreaterThan(0);
  return overlayMemory(memory, patches);
}

it.each([
  ['retrieve_status', ['vm-web retrieved', 'vm-db retrieved', 'vm-idle waiting', 'empty waiting'], 6],
  ['retrieved', ['vm-web retrieved', 'vm-db retrieved', 'vm-idle waiting', 'empty waiting'], 6],
  ['serialized_data', ['vm-web retrieved', 'vm-db retrieved', 'vm-idle waiting', 'empty waiting'], 6],
  ['count', ['vm-web retrieved', 'vm-db retrieved', 'vm-idle waiting', 'empty waiting'], 6],
])('%s', async (name, sessions, files) => {
  const opened = await openDump(DUMP);
  const changed = { ...opened, memory: renamed(opened.memory, name) };
  const { live, troubles } = await loadObjects(changed, decodeDump(changed, { khoFdt: null }).decoded, {});
  opened.close();
  expect(live?.incoming.sessions?.map((session) => `${session.name.text} ${session.state}`)).toEqual(sessions);
  expect(live?.incoming.sessions?.flatMap((session) => session.files)).toHaveLength(files);
  expect(troubles.some(({ why }) => why.includes(`has no ${name === 'retrieve_status' || name === 'count' ? '' : name}`))).toBe(true);
});

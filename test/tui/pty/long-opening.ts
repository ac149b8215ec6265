/** An opening that works without a pause, as a decoder does on a large dump: only `check` can give it up. For the pseudo-terminal tests. */
import { bufferMemory } from '../../../src/memory/buffer-memory.js';
import { WatchedMemory } from '../../../src/memory/watched.js';
import { Loading, OpeningCancelled } from '../../../src/tui/terminal/loading.js';

const loading = new Loading('large.elf', true, process);
const memory = new WatchedMemory(bufferMemory([{ start: 0, bytes: new Uint8Array(4096) }]), loading.check);
const page = new Uint8Array(4096);
let said = 'nobody asked';
try {
  await loading.stage('decoding');
  for (const end = performance.now() + 30_000; performance.now() < end; ) memory.readInto(0, 4096, page);
} catch (error) {
  said = error instanceof OpeningCancelled ? 'given up' : String(error);
}
const typed = String(loading.finish());
loading.leave();
console.log(`${said}, typed ${JSON.stringify(typed)}`);

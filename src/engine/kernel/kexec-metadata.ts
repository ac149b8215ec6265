/** kexec-metadata: which kernel jumped, and how often. Source: abi/kexec-metadata; kernel/liveupdate/kexec_handover.c, 7.1.13 to 7.3.4. */
import { khoKexecMetadata } from '../../../abi/kexec-metadata/v1.js';
import { sizeOf } from '../../codec/layout-table.js';
import type { Kho } from '../kho/kho.js';
import type { Steps } from '../machine.js';

const SUBTREE = 'kexec-metadata';
const VERSION = 1;

/** Says where this kernel came from, and leaves word for the next one. Nothing that goes wrong here stops a boot. */
export function* exchangeMetadata(kho: Kho): Steps<void> {
  // A u32 of the kernel's: it wraps.
  const count = ((yield* readMetadata(kho)) + 1) % 2 ** 32;
  const { machine } = kho;
  const size = sizeOf(khoKexecMetadata);
  const address = yield* kho.allocPreserve(size);
  if (address < 0) return;
  machine.writeStruct(khoKexecMetadata, address, { version: VERSION, previous_release: kho.spec.uname, kexec_count: count });
  yield machine.event('kho', 'write kho_kexec_metadata', { address, count });
  yield* kho.addSubtree(SUBTREE, address, size);
}

function* readMetadata(kho: Kho): Steps<number> {
  const { machine } = kho;
  const blob = yield* kho.retrieveSubtree(SUBTREE);
  if (typeof blob === 'number') return 0;
  if (blob.size < sizeOf(khoKexecMetadata)) {
    yield machine.printk(`KHO: kexec-metadata blob too small (${blob.size} bytes)`, 'next-kernel');
    return 0;
  }
  const { version, previous_release, kexec_count } = machine.readStruct(khoKexecMetadata, blob.address);
  if (version !== VERSION) {
    yield machine.printk(`KHO: kexec-metadata version ${version} not supported (expected ${VERSION})`, 'next-kernel');
    return 0;
  }
  yield machine.printk(`KHO: exec from: ${previous_release.text} (count ${kexec_count})`, 'next-kernel');
  return kexec_count;
}

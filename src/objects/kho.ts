/** What KHO keeps in a running kernel: both FDTs, whom it was booted from, the blobs it shows in debugfs. Source: kernel/liveupdate/kexec_handover.c, 6.16 to 7.3. */
import { optional } from '../kernel/fault.js';
import { listEntries } from '../kernel/lists.js';
import type { KernelObject } from '../kernel/object.js';
import type { LiveBlob, LiveKho } from './model.js';
import * as paths from './paths.js';
import type { Reader } from './reader.js';

/** What can't be read is null, or missing from the blobs. */
export function readKho(reader: Reader): LiveKho {
  const { khoIn, khoOut } = paths.variables;
  const variable = ({ symbol, type }: { readonly symbol: string; readonly type: string }): KernelObject | null =>
    reader.attempt(symbol, () => reader.kernel.variable(symbol, type));
  const [incoming, outgoing] = [variable(khoIn), variable(khoOut)];
  const fdt = incoming === null ? null : optional(() => incoming.first(paths.kho.in.fdt).number());
  const ownFdt = outgoing === null ? null : optional(() => reader.kernel.virtual.translate(outgoing.first(paths.kho.out.fdt).value()));
  return {
    incomingFdt: fdt === 0 ? null : fdt,
    outgoingFdt: ownFdt,
    finalised: outgoing === null ? null : optional(() => finalisedOf(outgoing)),
    previousRelease: incoming === null ? null : optional(() => incoming.first(paths.kho.in.previousRelease).text(65) || null),
    kexecCount: incoming === null ? null : optional(() => incoming.first(paths.kho.in.kexecCount).number()),
    blobs: [...blobsOf(reader, incoming, 'incoming'), ...blobsOf(reader, outgoing, 'outgoing')],
  };
}

/** Up to 7.0 handing over is switched on and off; later it always is. */
function finalisedOf(outgoing: KernelObject): boolean | null {
  const member = outgoing.firstOrNull(paths.kho.out.finalised);
  return member === null ? null : member.value() !== 0n;
}

function blobsOf(reader: Reader, owner: KernelObject | null, side: LiveBlob['side']): readonly LiveBlob[] {
  const at = side === 'incoming' ? paths.kho.in.blobs : paths.kho.out.blobs;
  // A kernel without CONFIG_KEXEC_HANDOVER_DEBUGFS has no such list.
  const list = owner === null ? null : optional(() => owner.firstOrNull(at));
  if (list === null) return [];
  const blobs: LiveBlob[] = [];
  const { blob } = paths.kho;
  reader.attempt(`the ${side} blobs in debugfs`, () => {
    for (const entry of listEntries(list, blob.type, blob.link)) {
      const data = entry.first(blob.data).value();
      const size = entry.first(blob.size).number();
      const name = optional(() => {
        const dentry = entry.first(blob.file).deref().first(['d_name', '__d_name']);
        return Buffer.from(reader.kernel.virtual.read(dentry.get('name').value(), Math.min(255, dentry.get('len').number()))).toString('utf8');
      });
      blobs.push({ side, name: name ?? '', address: optional(() => reader.kernel.virtual.translate(data)), size });
    }
  });
  return blobs;
}

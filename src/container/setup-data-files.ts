/**
 * A copied /sys/kernel/boot_params beside a kho folder: its setup_data node of type SETUP_KEXEC_KHO tells where the
 * incoming FDT stood. Source: Documentation/ABI/testing/sysfs-kernel-boot_params; abi/boot/setup-data.ts.
 */
import { basename, dirname, join } from 'node:path';
import { khoData, SETUP_KEXEC_KHO } from '../../abi/boot/setup-data.js';
import { decodeStruct } from '../codec/decode.js';
import { sizeOf } from '../codec/layout-table.js';
import { physicalAddress } from '../memory/memory.js';
import { parseNumber } from './folder-reader.js';
import type { RecordedFiles } from './recorded-files.js';

interface KhoSetupData {
  /** physical */
  readonly fdtAddress: number | null;
  /** the node's folder */
  readonly path: string;
}

/** The node beside or in `folder`, or beside its parent folder; null without one. */
export function findKhoSetupData(reader: RecordedFiles, folder: string): KhoSetupData | null {
  for (const candidate of candidates(folder)) {
    const nodes = join(candidate, 'setup_data');
    for (const node of reader.list(nodes)) {
      const path = join(nodes, node);
      const type = reader.read(join(path, 'type'));
      if (type === null || parseNumber(new TextDecoder().decode(type)) !== BigInt(SETUP_KEXEC_KHO)) continue;
      const data = reader.read(join(path, 'data'));
      if (data === null || data.length < sizeOf(khoData)) continue;
      return { fdtAddress: physicalAddress(decodeStruct(khoData, data).fdt_addr), path };
    }
  }
  return null;
}

const BOOT_PARAMS = 'boot_params';

function candidates(folder: string): readonly string[] {
  const around = (at: string): string[] => {
    // `s2-boot-kho` has `s2-boot-boot_params` beside it.
    const renamed = basename(at).replace(/kho(?:-in)?$/, BOOT_PARAMS);
    return [join(at, BOOT_PARAMS), join(dirname(at), BOOT_PARAMS), ...(renamed === basename(at) ? [] : [join(dirname(at), renamed)])];
  };
  // A capture has debugfs/kho/in and boot_params under one roof.
  return [...around(folder), ...around(dirname(folder)), join(dirname(dirname(dirname(folder))), BOOT_PARAMS)];
}

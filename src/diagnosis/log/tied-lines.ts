/** Which lines of a kernel's log speak of handing over, and of which node of the decoded tree. Sources: messages of kernel/liveupdate, mm/memfd_luo.c, 6.16 to 7.3. */
import type { DecodedDump } from '../../handover/decode.js';
import type { TreeNode } from '../../tree/tree.js';
import { locate } from '../rules/log-nodes.js';

/** What starts a line of KHO, LUO and their users. */
const SUBJECT =
  /^(?:KHO|kho|luo|LUO|liveupdate|live ?update|memfd_luo|kexec[-_ ]metadata|test_kho|kho_test|reserve_mem|exec from|Kernel panic|Block (?:set|contains))/i;

/** What a line names, in the words of its printk format. */
const NAMES: readonly RegExp[] = [
  /token\[(?<token>0x[0-9a-f]+)\](?: handler\[(?<compatible>[^\]]*)\])?/,
  /session \[(?<session>.*?)\](?: |$)/,
  /File count mismatch: expected (?<expected>\d+)/,
  /handler for compatible '(?<compatible>[^']*)'/,
  /physical address: (?<address>[0-9a-f]+)/,
  /handover FDT \((?<fdt>0x[0-9a-f]+)\)/,
];

interface TiedLine {
  /** is it a line of KHO, LUO or one of their users? */
  readonly isOurs: boolean;
  readonly node: TreeNode | null;
}

/** The node that a line names; the incoming handover's is tried first. */
export function tiedLine(dump: DecodedDump, text: string): TiedLine {
  const isOurs = SUBJECT.test(text);
  if (!isOurs) return { isOurs, node: null };
  for (const pattern of NAMES) {
    const match = pattern.exec(text);
    if (match === null) continue;
    for (const handover of dump.handovers) {
      const node = locate(handover, match);
      if (node !== null) return { isOurs, node };
    }
  }
  return { isOurs, node: null };
}

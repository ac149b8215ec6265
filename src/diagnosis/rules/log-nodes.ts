/** From a line of a console log to the node of the decoded tree it speaks of: by session, token, handler or address. */
import type { Handover } from '../../handover/decode.js';
import type { LuoFile, LuoSession } from '../../handover/luo.js';
import type { TreeNode } from '../../tree/tree.js';
import type { Situation } from '../log/situate.js';

/** The handover a line is about. Before the jump the one handover is the outgoing; the next kernel calls it incoming. */
export function handoverOf({ incoming, outgoing }: Situation, side: 'incoming' | 'outgoing'): Handover | null {
  return side === 'incoming' ? (incoming ?? outgoing) : (outgoing ?? incoming);
}

/** The node that the named groups of `match` point to, or null. */
export function locate(handover: Handover, match: RegExpExecArray): TreeNode | null {
  const groups: Readonly<Record<string, string | undefined>> = match.groups ?? {};
  const sessions = handover.luo?.sessions ?? [];
  const session = sessions.find(({ name }) => name.text !== '' && (name.text === groups.session || name.text === groups.other));
  if (session !== undefined) return session.node;
  if (groups.expected !== undefined) return sessions.find(({ count }) => count === integer(groups.expected))?.node ?? null;
  const files = sessions.flatMap((candidate: LuoSession) => candidate.files);
  if (groups.token !== undefined)
    return only(files, (file) => file.token === integer(groups.token) && file.compatible.text === (groups.compatible ?? file.compatible.text));
  if (groups.compatible !== undefined) return only(files, (file) => file.compatible.text === groups.compatible);
  if (groups.address !== undefined) return folioAt(handover, files, Number.parseInt(groups.address, 16));
  if (groups.fdt !== undefined) return handover.candidate.fdtAddress === Number(groups.fdt) ? handover.node : null;
  return null;
}

/** Which file a line means is told only where one file alone fits. */
function only(files: readonly LuoFile[], fits: (file: LuoFile) => boolean): TreeNode | null {
  const found = files.filter(fits);
  return found.length === 1 ? (found[0]?.node ?? null) : null;
}

/** Folios looked at for an address in a log. */
const MAX_FOLIOS = 1 << 20;

function folioAt(handover: Handover, files: readonly LuoFile[], address: number): TreeNode | null {
  let left = MAX_FOLIOS;
  for (const file of files) {
    if (file.decoded?.kind !== 'memfd') continue;
    const pageSize = file.decoded.pageSize;
    for (const folio of file.decoded.folios()) {
      if (left-- <= 0) return null;
      if (folio.pfn * pageSize === address) return file.node;
    }
  }
  return handover.luo?.node ?? null;
}

const integer = (text: string | undefined): bigint | null => (text !== undefined && /^(?:0x[0-9a-f]{1,16}|\d{1,20})$/.test(text) ? BigInt(text) : null);

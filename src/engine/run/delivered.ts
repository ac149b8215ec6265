/** What user space holds once a file was retrieved: the file as the next kernel put it together. For clients that compare it with what was handed over. */
import type { OpenFile } from '../fs/open-file.js';
import { ShmemInode } from '../fs/shmem.js';

export interface DeliveredFolio {
  /** of its first page in the file */
  readonly index: number;
  /** physical address of its first page */
  readonly address: number;
  readonly order: number;
  /** what it holds is the file's; else it reads as zeros */
  readonly uptodate: boolean;
}

export interface DeliveredFile {
  /** the same object for every descriptor of one file */
  readonly identity: object;
  readonly kind: string;
  /** f_pos */
  readonly pos: bigint;
  /** bytes; null for what has no size */
  readonly size: number | null;
  readonly seals: number | null;
  /** every page is there, in order, and up to date; `folios` then names none */
  readonly whole: boolean;
  /** page of the first folio that was put into the file behind one of a later page; null where all came in order */
  readonly outOfOrder: number | null;
  /** in the order of the file */
  folios(): Iterable<DeliveredFolio>;
}

export function deliveredFile(file: OpenFile): DeliveredFile {
  const { body, pos } = file;
  if (!(body instanceof ShmemInode)) return { identity: body, kind: body.kind, pos, size: null, seals: null, whole: true, outOfOrder: null, folios: () => [] };
  return {
    identity: body,
    kind: body.kind,
    pos,
    size: body.size,
    seals: body.seals,
    whole: body.restoredWhole,
    outOfOrder: body.restoredOutOfOrder,
    folios: () => body.inOrder(),
  };
}

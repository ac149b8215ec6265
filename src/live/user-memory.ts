/** Argument memory for a real ioctl, as a step's shape asks for it: ordinary, read-only, ending at an unmapped page, or none at all. */
import type { Libc } from '../device/libc.js';
import type { UserBuffer } from '../engine/luo/ioctl.js';

const PROT_NONE = 0;
const PROT_READ = 1;
const PROT_WRITE = 2;
const MAP_PRIVATE_ANONYMOUS = 0x22;

/** Memory at an address of this process. It must be given back. */
interface UserMemory {
  /** virtual; 0 for NULL */
  readonly address: bigint;
  /** the bytes as they are there now */
  bytes(): Uint8Array;
  release(): void;
}

const nothing = (address: bigint): UserMemory => ({ address, bytes: () => new Uint8Array(0), release() {} });

/** @param buffer null for a NULL pointer @param page bytes of a page of this machine. @throws RangeError where the machine has no memory for it */
export function userMemory(libc: Libc, buffer: UserBuffer | null, page: number): UserMemory {
  if (buffer === null) return nothing(0n);
  const room = Math.ceil(Math.max(buffer.bytes.length, 1) / page) * page;
  const { ret } = libc.mmap(0, room + page, PROT_READ | PROT_WRITE, MAP_PRIVATE_ANONYMOUS, -1, 0);
  if (ret === -1) throw new RangeError(`no memory for an argument of ${buffer.bytes.length} bytes`);
  // The bytes end where the mapped part does, when there is less mapped than there are.
  const ends = Math.min(buffer.mapped, room);
  const start = buffer.mapped < buffer.bytes.length ? ret + room - ends : ret;
  const view = libc.view(ret, room);
  view.set(buffer.bytes.subarray(0, Math.max(0, ret + room - start)), start - ret);
  libc.mprotect(ret + room, page, PROT_NONE);
  if (!buffer.writable) libc.mprotect(ret, room, PROT_READ);
  return {
    address: BigInt(start),
    bytes: () => view.slice(start - ret),
    release: () => {
      libc.munmap(ret, room + page);
    },
  };
}

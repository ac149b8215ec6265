/** Which processes hold LUO sessions and what can be preserved: /proc/<pid>/fd. Source: kernel/liveupdate/luo_session.c, "[luo_session] <name>", 6.19 to 7.3. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

export interface Descriptor {
  readonly pid: number;
  readonly comm: string;
  readonly fd: number;
  /** what /proc/<pid>/fd/<fd> links to */
  readonly target: string;
}

const SESSION = /^anon_inode:\[luo_session\] ?(.*)$/;
/** What a session can hold, and the sessions themselves. Other descriptors are nobody's business. */
const OF_INTEREST = /^anon_inode:\[(luo_session|kvm-|vfio-device|iommufd|guest_memfd)|^\/memfd:|^\/dev\/(vfio\/|iommu|kvm|liveupdate)/;

/** Name of the session a descriptor is of; null where it is of none. */
export const sessionOf = ({ target }: Descriptor): string | null => SESSION.exec(target)?.[1] ?? null;

const MOST = 1_000_000;

/** Of every process that may be looked into. */
export function liveDescriptors(proc = '/proc'): readonly Descriptor[] {
  const found: Descriptor[] = [];
  for (const pid of names(proc).filter((name) => /^\d+$/.test(name))) {
    for (const fd of names(`${proc}/${pid}/fd`)) {
      if (found.length >= MOST) return found;
      const target = attempt(() => readlinkSync(`${proc}/${pid}/fd/${fd}`));
      if (target === null || !OF_INTEREST.test(target)) continue;
      const comm = attempt(() => readFileSync(`${proc}/${pid}/comm`, 'utf8').trimEnd()) ?? '?';
      found.push({ pid: Number(pid), comm, fd: Number(fd), target });
    }
  }
  return found;
}

const names = (folder: string): readonly string[] => attempt(() => readdirSync(folder)) ?? [];

/** A process may be gone, or not ours. */
function attempt<T>(read: () => T): T | null {
  try {
    return read();
  } catch {
    return null;
  }
}

export const descriptorsText = (all: readonly Descriptor[]): string => all.map(({ pid, comm, fd, target }) => `${pid}\t${comm}\t${fd}\t${target}\n`).join('');

/** The reverse of `descriptorsText`; lines of another form are left out. */
export function parseDescriptors(text: string): readonly Descriptor[] {
  return text.split('\n').flatMap((line) => {
    const [pid = '', comm = '', fd = '', ...target] = line.split('\t');
    return /^\d+$/.test(pid) && /^\d+$/.test(fd) && target.length > 0 ? [{ pid: Number(pid), comm, fd: Number(fd), target: target.join('\t') }] : [];
  });
}

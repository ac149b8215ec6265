/** Who, in user space, a session or a preserved file belongs to. The kernel does not know; names, tokens and contents of memfds tell. */

export interface Owner {
  readonly kind: 'systemd' | 'unit' | 'vm' | 'criu' | 'selftest';
  /** of the unit, the virtual machine, the process */
  readonly name: string;
  /** what it is to its owner: a name in the unit's fd store, a part of the machine; '' where the name says it all */
  readonly detail: string;
  /** what told it */
  readonly by: string;
}

export type OwnerProblemKind =
  | 'mapping-unread'
  | 'mapping-invalid'
  | 'token-without-file'
  | 'file-without-mapping'
  | 'session-missing'
  | 'vm-incomplete'
  | 'format-0';

/** Where what user space recorded does not fit what was preserved. */
export interface OwnerProblem {
  readonly kind: OwnerProblemKind;
  /** node of the file or session it is about */
  readonly path: string;
  /** physical; null where it has no address */
  readonly at: number | null;
  readonly message: string;
}

/** Labels and problems of one handover. */
export interface Owners {
  /** by path of the session or file */
  readonly byPath: ReadonlyMap<string, Owner>;
  readonly problems: readonly OwnerProblem[];
  /** what systemd recorded; null without its session, or where it could not be read */
  readonly systemd: SystemdMapping | null;
}

export interface SystemdEntry {
  readonly unit: string;
  /** name in the unit's fd store */
  readonly name: string;
  /** of a descriptor in session `systemd`; null for a session of its own */
  readonly token: bigint | null;
  /** name of a session of its own; null for a descriptor */
  readonly sessionName: string | null;
}

export interface SystemdMapping {
  readonly version: 0 | 1;
  readonly kexecsCount: number | null;
  readonly units: readonly string[];
  readonly entries: readonly SystemdEntry[];
}

/** The owner of the file or session that a path is at or below; null where nothing tells. */
export function ownerAbove({ byPath }: Owners, path: string | null): Owner | null {
  for (let at = path ?? ''; at !== ''; at = at.slice(0, Math.max(0, at.lastIndexOf('/')))) {
    const owner = byPath.get(at);
    if (owner !== undefined) return owner;
  }
  return null;
}

/** `unit foo.service, fd store "ram"` for a reader; not escaped. */
export const ownerText = ({ kind, name, detail }: Owner): string => `${KIND_TEXT[kind]}${name}${detail === '' ? '' : `, ${detail}`}`;

const KIND_TEXT: Readonly<Record<Owner['kind'], string>> = { systemd: '', unit: 'unit ', vm: 'VM ', criu: 'CRIU, ', selftest: 'kernel selftest ' };

/** Session names that tell their owner. */
export const OWNER_NAMES: readonly { readonly pattern: RegExp; owner(match: RegExpExecArray): Omit<Owner, 'by'> }[] = [
  { pattern: /^systemd$/, owner: () => ({ kind: 'systemd', name: 'systemd', detail: 'descriptors of its units' }) },
  { pattern: /^criu-dump-(\d+)$/, owner: ([, pid]) => ({ kind: 'criu', name: `process ${pid}`, detail: 'memory images' }) },
  {
    pattern: /^(test-session|kexec_simple_state|kexec_multi_state|multi-test-empty-[12]|multi-test-files-[12]|many-test-\d+)$/,
    owner: ([name]) => ({ kind: 'selftest', name, detail: 'tools/testing/selftests/liveupdate' }),
  },
];

export const namesOwner = (session: string): boolean => OWNER_NAMES.some(({ pattern }) => pattern.test(session));

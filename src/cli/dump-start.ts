/** Where the engine takes a dump up: the handover's root FDT, the kernel that takes over, its command line. For `step`. */
import { simulatedReleases } from '../engine/kernel/release.js';
import type { DumpStart } from '../engine/client.js';
import type { ScenarioDevice } from '../engine/scenario/types.js';
import type { OpenedDump } from '../container/opened-dump.js';
import { UserError } from '../codec/user-error.js';
import type { ConsoleLog } from '../diagnosis/log/console-log.js';
import type { DecodedDump, Handover } from '../handover/decode.js';

export interface StartOptions {
  /** of the kernel that takes over, as the user wrote it */
  readonly release?: string | undefined;
  /** command line of that kernel, as the user wrote it */
  readonly cmdline?: string | undefined;
}

/** What a start was chosen by, for people. */
export interface ChosenStart {
  readonly start: DumpStart;
  readonly why: readonly string[];
}

/**
 * @throws UserError where the dump has no handover in memory, or is of no architecture the engine has
 */
export function dumpStart(opened: OpenedDump, decoded: DecodedDump, log: ConsoleLog | null, options: StartOptions): ChosenStart {
  const handover = decoded.handovers.find((one) => one.role !== 'stale' && one.candidate.fdtAddress !== null) ?? decoded.handovers[0];
  const fdtAddress = handover?.candidate.fdtAddress ?? null;
  if (handover === undefined || fdtAddress === null || opened.memory.readable.length === 0)
    throw new UserError(`${opened.path}: there is no memory to go on from; step needs a dump with the handover's pages, not a copy of debugfs`);
  if (handover.released)
    throw new UserError(
      `${opened.path}: the kernel in this dump has taken the handover at 0x${fdtAddress.toString(16)} up already and reuses the pages that led to it; give step a dump of the moment before: frozen, or early in the next kernel`,
    );
  const release = releaseOf(opened, handover, log, options);
  const cmdline = options.cmdline ?? cmdlineOf(log);
  const devices = devicesOf(handover);
  const { address, size } = handover.scratch;
  return {
    start: {
      arch: opened.arch === 'aarch64' ? 'aarch64' : 'x86_64',
      pageSize: opened.memory.pageSize,
      fdtAddress,
      scratch: address === null || handover.scratch.state !== 'filled' ? null : { address, size },
      release: release.release,
      kho: !isOff(cmdline, 'kho'),
      liveupdate: !isOff(cmdline, 'liveupdate'),
      reserveMem: (handover.memblock ?? []).map((one) => ({ name: one.name, size: Number(one.size), align: opened.memory.pageSize, position: NOWHERE })),
      devices,
      vfio: 'v5',
      steps: null,
    },
    why: [
      `the handover at 0x${fdtAddress.toString(16)} (${handover.path})`,
      `taken over by ${release.release}: ${release.why}`,
      cmdline === null ? 'with kho=on liveupdate=on: no command line is known' : 'with the command line of the last kernel in the log',
      ...(devices.length === 0 ? [] : [`${devices.length} PCI device(s) as the handover names them, bound to vfio-pci (v5)`]),
    ],
  };
}

const NOWHERE = { line: 1, column: 1 };

function releaseOf(opened: OpenedDump, handover: Handover, log: ConsoleLog | null, { release }: StartOptions): { release: string; why: string } {
  if (release !== undefined) return { release, why: 'as asked' };
  const told = [
    { release: log?.boots.at(-1)?.release ?? null, why: 'the last kernel in the console log' },
    { release: opened.vmcoreinfo?.get('OSRELEASE') ?? null, why: 'the kernel in the dump' },
    { release: handover.kexecMetadata?.previousRelease ?? null, why: 'the release that handed over; --release names another' },
  ];
  for (const one of told) {
    const known =
      one.release === null ? undefined : simulatedReleases.find((spec) => one.release?.startsWith(`${spec.release}.`) === true || one.release === spec.release);
    if (known !== undefined) return { release: known.release, why: one.why };
  }
  const speaking = simulatedReleases.filter((spec) => spec.khoCompatible === handover.compatible).at(-1);
  if (speaking !== undefined) return { release: speaking.release, why: `it speaks ${speaking.khoCompatible}; --release names another` };
  throw new UserError(
    `${opened.path}: no kernel of the engine is known to take over ${handover.compatible ?? 'an unreadable FDT'}; name one with --release (${simulatedReleases.map((spec) => spec.release).join(', ')})`,
  );
}

/** The command line that the last kernel in a log printed. */
function cmdlineOf(log: ConsoleLog | null): string | null {
  const line = log?.boots.at(-1)?.lines.find(({ text }) => /^(Kernel c|C)ommand line: /.test(text));
  return line === undefined ? null : line.text.slice(line.text.indexOf(': ') + 2);
}

/** `name=off` and its like, the last one counts. */
function isOff(cmdline: string | null, name: string): boolean {
  const values = [...(cmdline ?? '').matchAll(/(?:^|\s)(kho|liveupdate)=(\S+)/g)].filter((match) => match[1] === name);
  return /^(off|0|n|no|false)$/i.test(values.at(-1)?.[2] ?? 'on');
}

/** Devices that preserved files are of: without them no kernel could retrieve the files. */
function devicesOf(handover: Handover): readonly ScenarioDevice[] {
  const found = new Map<string, ScenarioDevice>();
  for (const session of handover.luo?.sessions ?? [])
    for (const { decoded } of session.files) {
      if (decoded?.kind !== 'struct' || decoded.struct !== 'vfio_pci_core_device_ser') continue;
      const { domain, bdf } = decoded.reading.values ?? {};
      if (domain === undefined || bdf === undefined) continue;
      const device = deviceAt(Number(domain), Number(bdf));
      found.set(`${domain}/${bdf}`, { ...device, name: `vfio${found.size}` });
    }
  return [...found.values()];
}

const deviceAt = (domain: number, bdf: number): Omit<ScenarioDevice, 'name'> => ({
  domain,
  bdf,
  driver: 'vfio-pci',
  interrupts: 'none',
  power: 'D0',
  reset: 'flr',
  vendor: 0x8086,
  device: 0x10d3,
  classCode: 0x020000,
  bridge: null,
  vf: false,
  stubborn: false,
  position: NOWHERE,
});

/** Would a live update work on this machine now? Lines of fine, blocks, cannot tell; and the answer they add up to. */
import { type PreflightLine, fine, cannotTell } from './line.js';
import type { OptionPurpose } from '../../abi/kernel/options.js';
import type { Side } from '../compat/side.js';
import { type Descriptor, parseDescriptors, sessionOf } from '../host/descriptors.js';
import { type HostTree, textOf } from '../host/host-tree.js';
import { configOf } from '../host/kernel-config.js';
import { DESCRIPTORS } from '../host/recorded.js';
import { chosenDevices, deviceLines } from './devices.js';
import { kernelLines, versionOf } from './kernel.js';
import { type NextKernel, nextKernelLines } from './next-kernel.js';

interface PreflightInput {
  readonly tree: HostTree;
  readonly next: NextKernel | null;
  /** command line of the next kernel, as the user gave it */
  readonly cmdline: string | null;
  /** what is handed over, or the contracts of the running release; null where neither is known */
  readonly from: Side | null;
  /** PCI addresses as the user gave them; none for all that are bound to vfio-pci */
  readonly devices: readonly string[];
  /** who holds what; null to read it from the tree */
  readonly descriptors: readonly Descriptor[] | null;
  /** the descriptors of every process could be seen */
  readonly seesAll: boolean;
  /** runs both kernels on the names of the open sessions; without it no outcome is told */
  readonly outcomes?: (sessions: readonly string[]) => readonly SessionOutcome[];
}

/** What becomes of one open session, by the engine. */
export interface SessionOutcome {
  readonly session: string;
  readonly outcome: 'comes-back' | 'lost' | 'unknown';
  readonly text: string;
}

export interface Preflight {
  readonly label: string;
  readonly version: string | null;
  /** `works`: nothing blocks; `blocks`: something does; `unknown`: nothing could be checked */
  readonly verdict: 'works' | 'blocks' | 'unknown';
  readonly lines: readonly PreflightLine[];
  /** sessions that are open, with who holds them */
  readonly sessions: readonly { readonly name: string; readonly holders: readonly Descriptor[] }[];
  /** empty where no kernels were run */
  readonly outcomes: readonly SessionOutcome[];
}

/** @throws UserError where a device's name is no PCI address */
export function preflight(input: PreflightInput): Preflight {
  const { tree } = input;
  const config = configOf(tree);
  const version = versionOf(tree);
  const { devices, all, lines: missing } = chosenDevices(tree, input.devices);
  const held = input.descriptors ?? parseDescriptors(textOf(tree, DESCRIPTORS) ?? '');
  const purposes = new Set<OptionPurpose>(['update', 'memfd', 'inspection']);
  if (devices.length > 0 || input.devices.length > 0) purposes.add('vfio-pci');
  const lines = [
    ...kernelLines({ tree, config, version, purposes }),
    ...nextKernelLines({ tree, next: input.next, cmdline: input.cmdline, from: input.from }),
    ...missing,
    ...devices.flatMap((fn) => deviceLines(fn, { tree, config, version }, all)),
    ...sessionLines(held, input.seesAll),
  ];
  const sessions = sessionsOf(held);
  return { label: tree.label, version, verdict: verdictOf(lines), lines, sessions, outcomes: input.outcomes?.(sessions.map(({ name }) => name)) ?? [] };
}

function verdictOf(lines: readonly PreflightLine[]): Preflight['verdict'] {
  if (lines.some(({ state }) => state === 'blocks')) return 'blocks';
  return lines.some(({ state }) => state === 'fine') ? 'works' : 'unknown';
}

function sessionsOf(held: readonly Descriptor[]): Preflight['sessions'] {
  const found = new Map<string, Descriptor[]>();
  for (const one of held) {
    const name = sessionOf(one);
    const holders = name === null ? undefined : found.get(name);
    if (holders !== undefined) holders.push(one);
    else if (name !== null) found.set(name, [one]);
  }
  return [...found].map(([name, holders]) => ({ name, holders }));
}

function sessionLines(held: readonly Descriptor[], seesAll: boolean): readonly PreflightLine[] {
  const sessions = sessionsOf(held);
  if (sessions.length === 0)
    return seesAll
      ? [fine('sessions', 'no process holds a session: nothing would be preserved')]
      : [cannotTell('sessions', 'whether processes hold sessions is not known', 'run as root')];
  return sessions.map(({ name, holders }) => {
    const [first] = holders;
    const by =
      first === undefined ? '' : `, held by ${first.comm} (pid ${first.pid}, fd ${first.fd})${holders.length > 1 ? ` and ${holders.length - 1} more` : ''}`;
    return fine(`sessions/${encodeURIComponent(name)}`, `session ${JSON.stringify(name)} is open${by}`);
  });
}

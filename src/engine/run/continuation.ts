/** From a memory image to a run: the next kernel boots on what a dump holds, and an agent asks it for everything that was handed over. */
import type { PhysicalMemory } from '../../memory/memory.js';
import type { Kernel } from '../kernel/kernel.js';
import type { ReserveMem, Scenario, ScenarioDevice, ScenarioStep, SourcePosition, StepBase, VfioVariant } from '../scenario/types.js';
import { expectSuccess } from '../scenario/terms.js';
import { plainKernel } from '../scenario/types.js';

/** What is known of a dump beside its memory. */
export interface DumpStart {
  readonly arch: 'x86_64' | 'aarch64';
  /** bytes */
  readonly pageSize: number;
  /** physical address of the root FDT */
  readonly fdtAddress: number;
  /** the array of scratch areas, as setup_data names it; null where nothing does, or where the jump had not filled it */
  readonly scratch: { readonly address: number; readonly size: number } | null;
  /** where memory ends at least, as the handover tells; the dump may hold nothing so high */
  readonly memoryEnd?: number;
  /** release of the kernel that takes over */
  readonly release: string;
  readonly kho: boolean;
  readonly liveupdate: boolean;
  /** reserve_mem= of the next kernel's command line */
  readonly reserveMem: readonly ReserveMem[];
  /** devices of the machine, where its kernels have the vfio-pci series */
  readonly devices: readonly ScenarioDevice[];
  readonly vfio: VfioVariant;
  /** what the agent does; null: opens /dev/liveupdate, retrieves everything, finishes every session */
  readonly steps: readonly ScenarioStep[] | null;
}

const NOWHERE: SourcePosition = { line: 1, column: 1 };
const GRAIN = 128 << 20;
/** x86 firmware is mapped up to 4 GiB: no memory of the machine's own, but a dump may have it as one range with the memory that follows. */
const FIRMWARE = 0xffe00000;

/** The scenario that stands for the dump. `steps` null stands for an agent that finds out what there is. */
export function scenarioOfDump(file: string, memory: PhysicalMemory, start: DumpStart): Scenario {
  const top = memory.readable.filter(({ start, end }) => start < FIRMWARE || end > 2 ** 32).reduce((end, range) => Math.max(end, range.end), GRAIN);
  const kernel = { ...plainKernel(start.release, NOWHERE), kho: start.kho, liveupdate: start.liveupdate };
  return {
    file,
    title: `going on from ${file}`,
    machine: {
      arch: start.arch,
      memory: Math.ceil(Math.max(top, start.memoryEnd ?? 0) / GRAIN) * GRAIN,
      pageSize: start.pageSize,
      scratch: [0, 0, 0],
      testFlbs: true,
    },
    kernels: [kernel],
    vfio: start.vfio,
    singletonGroups: false,
    devices: start.devices,
    handlers: [],
    subtrees: [],
    reserveMem: start.reserveMem,
    faults: [],
    steps: start.steps ?? [openStep()],
    end: 'finished',
  };
}

const base = (index: number): StepBase => ({
  index,
  position: NOWHERE,
  expect: expectSuccess,
  by: null,
});
const SHAPE = { size: null, tail: null, memory: 'writable', mapped: null } as const;
const openStep = (): ScenarioStep => ({ ...base(0), do: 'open', mode: 'rw', as: 'luo' });

/** What a file is called in `leaveOut`: by its place, names and tokens may occur twice. */
export const placeOf = (session: number, file: number): string => `session ${session} file ${file}`;

/**
 * What the agent does once /dev/liveupdate is open: every session, every file, then finish.
 * @param from number of the first step @param leaveOut files (by `placeOf`) not asked for; their sessions are not finished either
 */
export function retrieveEverything(kernel: Kernel, from: number, leaveOut: ReadonlySet<string> = new Set()): ScenarioStep[] {
  const steps: ScenarioStep[] = [];
  let index = from;
  let place = -1;
  for (const session of kernel.luo.sessions.incoming) {
    place++;
    const as = `session ${place}`;
    steps.push({ ...base(index++), do: 'retrieve-session', device: null, name: session.name, shape: SHAPE, as });
    let whole = true;
    for (const [number, { token, handler }] of session.files.files.entries()) {
      const file = placeOf(place, number);
      if (leaveOut.has(file)) whole = false;
      else steps.push({ ...base(index++), do: 'retrieve', session: as, token, shape: SHAPE, as: file });
      // A device can be finished once somebody has bound it to an iommufd again.
      if (handler.name === 'vfio-pci' && !leaveOut.has(file)) steps.push({ ...base(index++), do: 'vfio-bind', fd: file, device: null });
    }
    if (whole) steps.push({ ...base(index++), do: 'finish', session: as, reserved: 0, shape: SHAPE });
  }
  return steps;
}

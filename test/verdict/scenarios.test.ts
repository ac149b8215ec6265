/**
 * What a scenario's machine had handed over when it was frozen, judged as a dump, beside what the same scenario then meets: for every
 * scenario that ships and comes to a kexec. What no dump tells of the next kernel (faults, a handler it was built without) is left out.
 */
import { readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { diagnose } from '../../src/diagnosis/diagnose.js';
import { EngineClient } from '../../src/engine/client.js';
import { readScenario } from '../../src/engine/scenario/parse.js';
import type { Scenario, ScenarioKernel } from '../../src/engine/scenario/types.js';
import { decodeHandovers } from '../../src/handover/decode.js';
import { judge } from '../../src/verdict/judge.js';
import type { Verdict } from '../../src/verdict/verdict.js';
import { extent, some } from '../extent.js';

const names = readdirSync('samples/scenarios')
  .filter((name) => name.endsWith('.yaml'))
  .map((name) => name.replace(/\.yaml$/, ''));

interface Met {
  /** of the whole: the ending, or what the first open of the device answered */
  readonly kind: 'taken-over' | 'panic' | 'cold-boot' | 'open-fails';
  readonly errno: string | null;
  /** `session/token` -> errno of the first attempt, null where it came back */
  readonly files: ReadonlyMap<string, string | null>;
}

/** What the steps behind the jump answered in the next kernel. */
function metBy(client: EngineClient, from: number): Met {
  client.toEnd();
  const sessions = new Map<string, string>();
  const files = new Map<string, string | null>();
  let open: string | null = null;
  let opened = false;
  const next = (client.stepAt(from)?.kernel ?? 0) + 1;
  for (let number = from + 1; number <= client.length; number++) {
    const step = client.stepAt(number);
    const action = client.actionAt(number);
    const asked = action === null ? undefined : client.program[action];
    if (step?.actor !== 'agent' || step.kernel !== next || asked === undefined) continue;
    if (asked.do === 'open' && !opened) {
      open = step.errno;
      opened = true;
    }
    if (asked.do === 'retrieve-session' && asked.as !== null && step.result === 0) sessions.set(asked.as, new TextDecoder().decode(asked.name));
    // What comes behind is of the caller's making.
    if (asked.do === 'finish' || asked.do === 'vfio-unbind') break;
    if (asked.do !== 'retrieve' || OF_THE_CALLER.has(step.errno ?? '')) continue;
    const key = `${sessions.get(String(asked.session))}/${asked.token}`;
    if (!files.has(key)) files.set(key, step.errno);
  }
  const ending = client.stepAt(client.length)?.kernel === next ? client.end?.ending : null;
  if (ending === 'panic' || ending === 'cold-boot') return { kind: ending, errno: null, files };
  return open === null ? { kind: 'taken-over', errno: null, files } : { kind: 'open-fails', errno: open, files };
}

/** Errnos for what the caller gave: a page that can not be written, no descriptor left. */
const OF_THE_CALLER = new Set(['EFAULT', 'EMFILE']);

/** Is it a kexec that the machine was frozen for, into kernels as the engine has them for a dump? */
const isComparable = (scenario: Scenario, next: ScenarioKernel): boolean =>
  scenario.handlers.length === 0 &&
  next.without.length === 0 &&
  (next.vfio ?? scenario.vfio) === 'v5' &&
  !scenario.steps.some(({ do: verb }) => verb === 'reboot');

const nextOf = ({ kernels }: Scenario, kernel: number): ScenarioKernel | undefined => kernels[kernel + 1] ?? kernels.at(-1);
function commandLine({ faults }: Scenario, next: ScenarioKernel): string {
  const off = (name: 'kho' | 'liveupdate'): boolean => !next[name] || faults.some((fault) => 'liveupdate' in fault && fault[name] === false);
  return `kho=${off('kho') ? 'off' : 'on'} liveupdate=${off('liveupdate') ? 'off' : 'on'}`;
}

/** Failures of the whole: what a file alone meets is held against the files. */
const ofTheWhole = ({ kind, errno }: Verdict): Pick<Met, 'kind' | 'errno'> =>
  kind === 'panic' || kind === 'cold-boot' ? { kind, errno: null } : kind === 'open-fails' ? { kind, errno } : { kind: 'taken-over', errno: null };

let judged = 0;

describe.each(some(names, 2))('%s', (name) => {
  it('the verdict on the frozen machine is what its next kernel then does', { timeout: 120_000 }, async () => {
    const scenario = await readScenario(`samples/scenarios/${name}.yaml`);
    const client = EngineClient.ofScenario(scenario);
    const image = client.imageAt('frozen');
    if (image === null) return;
    const kernel = client.stepAt(image.step)?.kernel ?? 0;
    const next = nextOf(scenario, kernel);
    if (next === undefined) throw new Error('no kernel');
    const release = image.vmcoreinfo.get('OSRELEASE') ?? null;
    const decoded = decodeHandovers({ memory: image.memory, runningRelease: release });
    const facts = { path: name, memory: image.memory, arch: image.arch, release };
    const { verdict } = judge({
      facts,
      decoded,
      findings: diagnose(decoded),
      log: null,
      options: { next: next.release, cmdline: commandLine(scenario, next) },
    });
    judged++;
    const met = metBy(client, image.step);
    if (!isComparable(scenario, next)) return;
    // Who boots cold has no device.
    const whole = verdict.kind === 'cold-boot' && met.errno === 'ENOENT' ? { kind: 'open-fails', errno: 'ENOENT' } : ofTheWhole(verdict);
    expect(whole).toEqual({ kind: met.kind, errno: met.errno });
    for (const session of verdict.sessions)
      for (const file of session.files) {
        const errno = met.files.get(`${session.name}/${file.token}`);
        if (errno !== undefined)
          expect([session.name, file.token, file.kind === 'retrieve-fails' ? file.errno : null]).toEqual([session.name, file.token, errno]);
      }
  });
});

it('most scenarios come to a kexec', () => {
  expect(judged).toBeGreaterThanOrEqual(extent(12, 25));
});

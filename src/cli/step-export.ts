/** `luo-inspect step <dump> --export`: a dump's sessions, files, damage and kernels as a scenario. */
import { UserError } from '../codec/user-error.js';
import type { OpenedDump } from '../container/opened-dump.js';
import { writeOutput } from '../container/output-file.js';
import { diagnose } from '../diagnosis/diagnose.js';
import type { ConsoleLog } from '../diagnosis/log/console-log.js';
import { engineReleases } from '../engine/client.js';
import type { DecodedDump, Handover } from '../handover/decode.js';
import { scenarioOf } from '../objects/scenario.js';
import { reproduce } from '../reproduce/reproduce.js';
import { judge } from '../verdict/judge.js';
import { engineRelease, isOff, judgedHandover, type NextOptions, nextKernel } from '../verdict/next-kernel.js';
import type { LoadedObjects } from './load-objects.js';
import { tell } from './messages.js';

/** What was read of the dump. */
export interface ExportInput {
  readonly opened: OpenedDump;
  readonly decoded: DecodedDump;
  readonly objects: LoadedObjects;
  readonly release: string | null;
  readonly log: ConsoleLog | null;
  readonly told: NextOptions;
}

/** Writes the reproducer. Exits with 1 where it does not end as the dump's kernel does. @throws UserError where there is nothing to make one of */
export async function exportScenario(to: string, { opened, decoded, objects, release, log, told }: ExportInput): Promise<void> {
  const { live } = objects;
  const handover = judgedHandover(decoded);
  const facts = { path: opened.path, memory: opened.memory, arch: opened.arch, release };
  const next = handover === null ? null : nextKernel(facts, decoded, handover, log, told);
  if (handover === null || next?.engine == null) throw new UserError(`${opened.path}: no kernel of the engine is known to take it over; name one with --next`);
  if (handover.luo === null && !handover.hasLuo)
    throw new UserError(`${opened.path}: what is handed over has no LUO: there are no sessions and files to make a scenario of`);
  const machine = { release: next.engine, arch: opened.arch ?? 'x86_64', pageSize: opened.memory.pageSize };
  const isGone = handover.released || (handover.luo?.notSerialised === true && handover.role === 'outgoing');
  const fromObjects = isGone && live !== null ? scenarioOf(live, machine) : null;
  if (fromObjects !== null) {
    for (const line of fromObjects.said) tell(line);
    await writeText(to, `${JSON.stringify(JSON.parse(fromObjects.text), null, 2)}\n`);
    return;
  }
  if (isGone) throw new UserError(`${opened.path}: what was handed over is gone; give a dump of the moment before: frozen, or early in the next kernel`);
  const { verdict } = judge({ facts, decoded, findings: diagnose(decoded, { log, objects }), log: null, options: told });
  const made = reproduce({
    name: opened.path.split('/').at(-1) ?? opened.path,
    memory: opened.memory,
    handover,
    verdict,
    arch: machine.arch,
    writer: writerOf(handover, release) ?? machine.release,
    next: machine.release,
    kho: !isOff(next.cmdline, 'kho'),
    liveupdate: !isOff(next.cmdline, 'liveupdate'),
  });
  if (made === null) throw new UserError(`${opened.path}: its files are more than a machine of the engine holds; shrink it, or step through the dump itself`);
  for (const line of made.said) tell(line);
  await writeText(to, made.text);
  if (made.endsOtherwise === null) return;
  tell(`${to}: on the engine it does not end as foretold of the dump: ${made.endsOtherwise}`);
  process.exitCode = 1;
}

const writeText = (to: string, text: string): Promise<void> =>
  writeOutput(to, (file) => {
    const bytes = Buffer.from(text);
    file.write(bytes, 0);
    file.finish(bytes.length);
  });

/** The engine's release that speaks as whoever wrote the handover. */
function writerOf(handover: Handover, running: string | null): string | null {
  const told = handover.role === 'outgoing' ? running : (handover.kexecMetadata?.previousRelease ?? null);
  const known = told === null ? null : engineRelease(told);
  return known ?? engineReleases.filter((spec) => spec.khoCompatible === handover.compatible).at(-1)?.release ?? null;
}

import { raise } from '../codec/budget.js';
import { type DumpStart, EngineClient, engineReleases, stepToJson } from '../engine/client.js';
import type { DumpCommandOptions } from './report.js';
import type { ExportInput } from './step-export.js';
import type { OpenedDump } from '../container/opened-dump.js';
import type { ConsoleLog } from '../diagnosis/log/console-log.js';
import type { DecodedDump } from '../handover/decode.js';
import { UserError } from '../codec/user-error.js';
import { escapeText } from '../report/escape.js';
import { dumpStart, judgedHandover, type NextOptions, nextKernel, startLines } from '../verdict/next-kernel.js';
import { findLog } from './find-log.js';
import { nextOptions } from './next-option.js';
import { diagnose } from '../diagnosis/diagnose.js';
import { verdictJson } from '../report/report-json.js';
import { judge, replayWork } from '../verdict/judge.js';
import { isFailure, type Verdict, verdictSentence } from '../verdict/verdict.js';
import { decodeFile } from './load-dump.js';
import { writeLines } from './output.js';
import { parseScenario } from '../engine/scenario/parse.js';
import type { Scenario } from '../engine/scenario/types.js';
import type { LiveObjects } from '../objects/model.js';
import { scenarioOf } from '../objects/scenario.js';
import { preservedOf, toldByObjects } from '../verdict/told-by-objects.js';
import { type Opening, withOpening } from './opening.js';
import { endLine, failedAt, stepLines } from './sim-text.js';
import { exportScenario } from './step-export.js';
import { paintsOutput, terminalFor, wantsColor } from './terminal.js';
import { atEnd } from '../codec/at-end.js';

interface StepOptions extends DumpCommandOptions {
  readonly export?: string;
  /** false with --no-color */
  readonly color?: boolean;
}

export async function runStep(path: string, options: StepOptions): Promise<void> {
  const terminal = options.json === true || options.export !== undefined ? null : terminalFor(path === '-');
  if (terminal === null) {
    const stepping = await openStepping(path, options);
    try {
      if (options.export !== undefined) await exportScenario(options.export, stepping);
      else await printStepping(stepping, options);
    } finally {
      stepping.opened.close();
    }
    return;
  }
  const color = wantsColor(options);
  await withOpening(
    [path],
    color,
    terminal,
    (opening) => openStepping(path, options, opening),
    async ({ client, opened }, loading) => {
      using _opened = atEnd(() => opened.close());
      const { identityOf, openDebugger } = await import('../tui/open.js');
      await openDebugger(client, { color, loading, identity: identityOf(path, 'debugger') });
    },
  );
}

interface Stepping extends ExportInput {
  readonly client: EngineClient;
  readonly why: readonly string[];
}

/** @throws UserError where there is nothing to step */
export async function openStepping(path: string, options: StepOptions, opening: Pick<Opening, 'stage' | 'wrap'> | null = null): Promise<Stepping> {
  await opening?.stage('opening');
  const stage = async (text: string): Promise<void> => await opening?.stage(text);
  const { read, objects } = await decodeFile(path, options, stage, (file) => opening?.wrap(file) ?? file);
  const { opened: dump, decoded, kernel } = read;
  try {
    if (objects.decoded.handovers.length === 0) throw new UserError(`${path}: no handover found; if you know where the root FDT is, name it: --kho-fdt 0x…`);
    const work = Math.max(...decoded.handovers.map(replayWork));
    const { budget } = decoded;
    if (work > budget.allowed('replay-entries'))
      throw new UserError(
        `${path}: ${work} entries are too many to run the next kernel on; diagnose tells what the rules say, or ${raise(budget, 'replay-entries')}`,
      );
    await opening?.stage('preparing the next kernel');
    const log = await findLog(dump, options.log ?? true);
    const told = await nextOptions(options);
    const release = kernel?.release ?? null;
    const { client, why } = clientOf({ opened: dump, decoded, live: objects.live, release, log, told, logReads: options.json !== true });
    return { opened: dump, decoded, objects, release, log, told, client, why };
  } catch (error) {
    dump.close();
    throw error;
  }
}

async function printStepping({ opened, decoded, objects, release, log, told, client, why }: Stepping, options: StepOptions): Promise<void> {
  const { findings, verdict } = judge({
    facts: { path: opened.path, memory: opened.memory, arch: opened.arch, release },
    decoded,
    findings: diagnose(decoded, { log, objects }),
    log,
    options: told,
    objects: toldByObjects(objects.live, objects.decoded.handovers),
    preserved: preservedOf(objects.live),
  });
  await writeLines(options.json === true ? jsonLines(client, verdict) : textLines(client, verdict, why, options));
  if (isFailure(verdict.kind) || findings.some(({ severity }) => severity === 'error')) process.exitCode = 1;
}

interface StepInput {
  readonly opened: OpenedDump;
  readonly decoded: DecodedDump;
  readonly live: LiveObjects | null;
  readonly release: string | null;
  readonly log: ConsoleLog | null;
  readonly told: NextOptions;
  readonly logReads: boolean;
}

/** The engine on the dump's memory; where what was serialised is gone, or not there yet, on the running kernel's own objects. @throws UserError */
function clientOf(input: StepInput): { readonly client: EngineClient; readonly why: readonly string[] } {
  const { opened, decoded, live, release, log, told, logReads } = input;
  const handover = judgedHandover(decoded);
  const isGone = handover === null || handover.released || (handover.luo?.notSerialised === true && handover.role === 'outgoing');
  const fromObjects = live === null || !isGone ? null : objectsClient(input, live);
  if (fromObjects !== null) return fromObjects;
  const { start, why } = startOf(opened, decoded, release, log, told);
  return { client: EngineClient.ofMemory(opened.path, opened.memory, start, { logReads }), why };
}

/** Null where the objects hold no session, or the engine has no such kernel. */
function objectsClient(
  { opened, decoded, release, log, told, logReads }: StepInput,
  live: LiveObjects,
): { readonly client: EngineClient; readonly why: readonly string[] } | null {
  const handover = judgedHandover(decoded);
  const facts = { path: opened.path, memory: opened.memory, arch: opened.arch, release };
  const next = handover === null ? null : nextKernel(facts, decoded, handover, log, told);
  const engine = next?.engine ?? null;
  const scenario = engine === null ? null : scenarioOf(live, { release: engine, arch: opened.arch ?? 'x86_64', pageSize: opened.memory.pageSize });
  if (engine === null || scenario === null) return null;
  let parsed: Scenario;
  try {
    parsed = parseScenario(scenario.text, `${opened.path} (objects)`);
  } catch (error) {
    // Names or sizes that no scenario can have: then there is the serialised state alone.
    if (error instanceof UserError) return null;
    throw error;
  }
  return {
    client: EngineClient.ofScenario(parsed, { logReads }),
    why: [
      `the sessions, files and phases of the kernel's own objects, rebuilt on a machine of the engine that runs ${engine}`,
      `the first ${scenario.reached} steps of user space lead to the moment of the dump, the others are what comes next; contents of files are not the dump's`,
      ...scenario.said,
    ],
  };
}

interface Started {
  readonly start: DumpStart;
  readonly why: readonly string[];
}

/** @throws UserError where the dump has no handover in memory, or nothing tells which kernel takes it over */
function startOf(opened: OpenedDump, decoded: DecodedDump, release: string | null, log: ConsoleLog | null, options: NextOptions): Started {
  const handover = judgedHandover(decoded);
  const fdtAddress = handover?.candidate.fdtAddress ?? null;
  if (handover === null || fdtAddress === null || opened.memory.readable.length === 0)
    throw new UserError(`${opened.path}: there is no memory to go on from; step needs a dump with the handover's pages, not a copy of debugfs`);
  if (handover.released)
    throw new UserError(
      `${opened.path}: the kernel in this dump has taken the handover at 0x${fdtAddress.toString(16)} up already and reuses the pages that led to it; give step a dump of the moment before: frozen, or early in the next kernel`,
    );
  const facts = { path: opened.path, memory: opened.memory, arch: opened.arch, release };
  const next = nextKernel(facts, decoded, handover, log, options);
  if (next === null || next.engine === null) {
    const known = engineReleases.map((spec) => spec.release).join(', ');
    throw new UserError(
      `${opened.path}: no kernel of the engine is known to take over ${next?.release ?? handover.compatible ?? 'an unreadable FDT'}; name one with --next (${known})`,
    );
  }
  const start = dumpStart(facts, decoded, handover, fdtAddress, next, next.engine);
  return { start, why: startLines(handover, fdtAddress, next, start) };
}

function* jsonLines(client: EngineClient, verdict: Verdict): Iterable<string> {
  client.toEnd();
  for (let number = 1; number <= client.length; number++) {
    const step = client.stepAt(number);
    if (step !== null) yield JSON.stringify(stepToJson(step));
  }
  const { end } = client;
  yield JSON.stringify({
    end: true,
    outcome: end?.outcome ?? 'aborted',
    expectationsMet: end?.expectationsMet ?? false,
    ending: end?.ending ?? null,
    reason: end?.reason ?? null,
    verdict: verdictJson(verdict),
  });
}

function* textLines(client: EngineClient, verdict: Verdict, why: readonly string[], options: StepOptions): Iterable<string> {
  const style = { color: paintsOutput(options), verbose: options.verbose === true, judged: false };
  yield escapeText(verdictSentence(verdict));
  for (const line of why) yield escapeText(line);
  client.toEnd();
  const failed = failedAt(client);
  for (let number = 1; number <= client.length; number++) {
    const step = client.stepAt(number);
    if (step !== null) yield* stepLines(client, step, failed, style);
  }
  yield endLine(client, client.end, style);
}

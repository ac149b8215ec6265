/** `luo-inspect sim <scenario>`: carries a scenario out on the embedded engine, as text or JSON lines; writes the machine's memory as a dump. */
import { UserError } from '../codec/user-error.js';
import { writeElfCore } from '../container/elf-writer.js';
import { isStandardOutput } from '../container/output-file.js';
import { EngineClient, type RunEnd, stepToJson } from '../engine/client.js';
import { parseScenario, readScenario, scenarioText } from '../engine/scenario/parse.js';
import { MOMENTS, type Moment } from '../engine/scenario/types.js';
import { tell } from './messages.js';
import { withFaults } from './fault-option.js';
import { writeLines } from './output.js';
import { isPciDevice, withRealDevice } from './sim-device.js';
import { endLine, failedAt, stepLines } from './sim-text.js';
import { onTerminal, wantsColor, paintsOutput } from './terminal.js';

interface SimOptions {
  readonly json?: boolean;
  readonly until?: string;
  readonly dump?: string;
  readonly step?: boolean;
  readonly fault?: readonly string[];
  readonly verbose?: boolean;
  readonly device?: string;
  readonly compare?: boolean;
  readonly root?: string;
  /** false with --no-color */
  readonly color?: boolean;
}

export async function runSim(path: string, options: SimOptions): Promise<void> {
  if (options.device === 'kvm') {
    const { runSimOnKvm } = await import('./sim-kvm.js');
    await runSimOnKvm(await readScenario(path), options);
    return;
  }
  if (options.compare === true) throw new UserError('--compare needs --device kvm: it runs the scenario on /dev/kvm and on the simulated device');
  if (options.device !== undefined && options.device !== 'simulated' && !isPciDevice(options.device))
    throw new UserError(`--device ${options.device}: give simulated, kvm, or pci:<bdf> as in pci:0000:00:05.0`);
  const source = scenarioText(path);
  let scenario = parseScenario(source, path);
  if (isPciDevice(options.device)) {
    const real = withRealDevice(scenario, options.device, options.root);
    ({ scenario } = real);
    tell(real.said);
  }
  const client = EngineClient.ofScenario(withFaults(scenario, options.fault ?? []), { logReads: options.step === true });
  if (options.step === true && onTerminal()) {
    const { identityOf, openDebugger } = await import('../tui/open.js');
    await openDebugger(client, { color: wantsColor(options), identity: identityOf(path, 'debugger'), source });
    return;
  }
  const stop = options.until === undefined ? null : parseStop(options.until);
  if (stop === null) client.toEnd();
  else checkReached(client, path, stop);
  const last = stop === null ? null : client.position;
  client.runTo(0);
  // Where the dump itself goes to standard output, the steps are left out of it.
  const dumpOnly = options.dump !== undefined && isStandardOutput(options.dump);
  const lines = options.json === true ? jsonLines(client, last) : textLines(client, last, options);
  if (dumpOnly) for (const _ of lines);
  else await writeLines(lines);
  if (options.dump !== undefined) await writeElfCore(options.dump, client.imageAtStep());
  if (!met(client, last)) process.exitCode = 1;
}

type Stop = { readonly step: number } | { readonly moment: Moment };

/** @throws UserError unless `text` is a step's number or a moment */
function parseStop(text: string): Stop {
  const moment = MOMENTS.find((one) => one === text);
  if (moment !== undefined) return { moment };
  if (/^[1-9]\d{0,14}$/.test(text)) return { step: Number(text) };
  throw new UserError(`--until ${JSON.stringify(text)} is neither a step's number nor a moment; write one of ${MOMENTS.join(', ')}, or a number from 1`);
}

/** Brings the client to where it must stop. @throws UserError where the run does not get there */
function checkReached(client: EngineClient, path: string, stop: Stop): void {
  if ('step' in stop) {
    if (client.runTo(stop.step)?.step !== stop.step)
      throw new UserError(`${path}: the run ends at step ${client.length}; write --until with a number up to that`);
  } else if (client.runToMoment(stop.moment) === null) {
    const passed = [...new Set(client.moments.map((one) => one.moment))];
    throw new UserError(`${path}: the run never gets to ${stop.moment}; it passes ${passed.length === 0 ? 'no moment' : passed.join(', ')}`);
  }
}

/** Steps one by one up to `last`, or to the end. */
function* stepsUpTo(client: EngineClient, last: number | null) {
  while (last === null || client.position < last) {
    const before = client.position;
    const step = client.step();
    if (step === null || client.position === before) return;
    yield step;
  }
}

function* jsonLines(client: EngineClient, last: number | null): Iterable<string> {
  for (const step of stepsUpTo(client, last)) yield JSON.stringify(stepToJson(step));
  const end = endOf(client, last);
  yield JSON.stringify({
    end: true,
    outcome: end?.outcome ?? 'aborted',
    expectationsMet: met(client, last),
    ...(end === null ? {} : { ending: end.ending, reason: end.reason }),
  });
}

function* textLines(client: EngineClient, last: number | null, options: SimOptions): Iterable<string> {
  const style = { color: paintsOutput(options), verbose: options.verbose === true, judged: true };
  const failed = failedAt(client);
  for (const step of stepsUpTo(client, last)) yield* stepLines(client, step, failed, style);
  yield endLine(client, endOf(client, last), style);
}

/** How the run ended; null where it was stopped before. */
const endOf = (client: EngineClient, last: number | null): RunEnd | null => (last === null ? client.end : null);

/** A run that was stopped has met what it was asked so far. */
function met(client: EngineClient, last: number | null): boolean {
  if (last === null) return client.end?.expectationsMet ?? false;
  return client.mismatches.every((one) => one.step > last);
}

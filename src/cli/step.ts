/** `luo-inspect step <dump>`: the debugger on the state found in a dump; where standard output is no terminal, what the next kernel will do. */
import type { Command } from 'commander';
import { EngineClient, stepToJson } from '../engine/client.js';
import { openDump } from '../container/open.js';
import { UserError } from '../codec/user-error.js';
import { decodeDump } from './decode-dump.js';
import { escapeText } from '../report/escape.js';
import { dumpStart, type StartOptions } from './dump-start.js';
import { findLog } from './find-log.js';
import { parseAddress } from './load-dump.js';
import { writeLines } from './output.js';
import { dumpOptions } from './report.js';
import { endLine, stepLines } from './sim-text.js';
import { onTerminal, wantsColor } from './terminal.js';

interface StepOptions extends StartOptions {
  readonly khoFdt?: string;
  readonly log?: string | boolean;
  readonly json?: boolean;
  readonly verbose?: boolean;
  /** false with --no-color */
  readonly color?: boolean;
}

export function registerStep(program: Command): void {
  dumpOptions(program.command('step <dump>').description('opens the debugger on the state found in a dump: what will the next kernel do with it?'))
    .option('--release <release>', 'the kernel that takes over; by default as the console log, the dump or the handover tells')
    .option('--cmdline <text>', "that kernel's command line (kho=, liveupdate=)")
    .option('--json', 'one JSON object a line: every step, and last the end')
    .option('--no-color', 'no colours')
    .action(runStep);
}

async function runStep(path: string, options: StepOptions): Promise<void> {
  const opened = await openDump(path);
  try {
    const khoFdt = options.khoFdt === undefined ? null : parseAddress(options.khoFdt);
    const { opened: dump, decoded } = decodeDump(opened, khoFdt);
    if (decoded.handovers.length === 0) throw new UserError(`${path}: no handover found; if you know where the root FDT is, name it: --kho-fdt 0x…`);
    const { start, why } = dumpStart(dump, decoded, await findLog(dump, options.log ?? true), options);
    const client = EngineClient.ofMemory(path, dump.memory, start);
    if (options.json !== true && onTerminal()) {
      const { openDebugger } = await import('../tui/open.js');
      await openDebugger(client, { color: wantsColor(options) });
    } else await writeLines(options.json === true ? jsonLines(client) : textLines(client, why, options));
  } finally {
    opened.close();
  }
}

function* jsonLines(client: EngineClient): Iterable<string> {
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
  });
}

function* textLines(client: EngineClient, why: readonly string[], options: StepOptions): Iterable<string> {
  const style = { color: wantsColor(options) && process.stdout.isTTY === true, verbose: options.verbose === true, judged: false };
  for (const line of why) yield escapeText(line);
  client.toEnd();
  for (let number = 1; number <= client.length; number++) {
    const step = client.stepAt(number);
    if (step !== null) yield* stepLines(client, step, client.mismatches, style);
  }
  yield endLine(client, client.end, style);
}

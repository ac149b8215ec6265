/** The views on what ships in samples/: dumps in the inspector, dumps and scenarios in the debugger. */
import { readFileSync } from 'node:fs';
import { loadDump } from '../../src/cli/load-dump.js';
import { EngineClient } from '../../src/engine/client.js';
import { readScenario } from '../../src/engine/scenario/parse.js';
import { debuggerProgram } from '../../src/tui/debugger/view.js';
import type { Debugger } from '../../src/tui/debugger/state.js';
import { inspectorModelOf } from '../../src/tui/inspector/from-report.js';
import type { Inspector, InspectorModel } from '../../src/tui/inspector/state.js';
import { inspectorProgram } from '../../src/tui/inspector/view.js';
import { dumpStart, judgedHandover, nextKernel } from '../../src/verdict/next-kernel.js';
import { Play } from './play.js';

const models = new Map<string, Promise<InspectorModel>>();

const dumpPath = (name: string): string => `samples/${name}/s1-frozen.sparse.elf.xz`;

/** What the inspector shows of `samples/<name>/s1-frozen`; read once a test file. */
export function modelOf(name: string): Promise<InspectorModel> {
  const known = models.get(name) ?? loadDump(dumpPath(name)).then(({ report }) => inspectorModelOf(report));
  models.set(name, known);
  return known;
}

export const inspect = async (name: string, columns = 80, rows = 24): Promise<Play<Inspector>> =>
  new Play(inspectorProgram(await modelOf(name)), { columns, rows });

/** `step samples/<name>/s1-frozen` */
export async function stepDump(name: string, columns = 80, rows = 24): Promise<Play<Debugger>> {
  const { opened, report } = await loadDump(dumpPath(name));
  const handover = judgedHandover(report.decoded);
  const facts = { path: opened.path, memory: opened.memory, arch: opened.arch, release: report.kernel?.release ?? null };
  const next = handover === null ? null : nextKernel(facts, report.decoded, handover, report.log ?? null, {});
  const fdt = handover?.candidate.fdtAddress ?? null;
  if (handover === null || fdt === null || next === null || next.engine === null) throw new Error(`${name} cannot be stepped`);
  const start = dumpStart(facts, report.decoded, handover, fdt, next, next.engine);
  return new Play(debuggerProgram(EngineClient.ofMemory(opened.path, opened.memory, start, { logReads: true })), { columns, rows });
}

/** `sim samples/scenarios/<name>.yaml --step` */
export async function stepScenario(name: string, columns = 80, rows = 24): Promise<Play<Debugger>> {
  const path = `samples/scenarios/${name}.yaml`;
  const client = EngineClient.ofScenario(await readScenario(path), { logReads: true });
  return new Play(debuggerProgram(client, readFileSync(path, 'utf8')), { columns, rows });
}

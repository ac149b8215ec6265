/** Every scenario that ships runs on the engine and meets what it expects; run twice (of twelve one, and all in check:all), it leaves the same trace. */
import { readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { readScenario } from '../../src/engine/scenario/parse.js';
import { VERBS } from '../../src/engine/scenario/verbs.js';
import { stepToJson } from '../../src/engine/trace/step.js';
import { ALL } from '../extent.js';
import { runFile } from './run.js';

const names = readdirSync('samples/scenarios').filter((name) => name.endsWith('.yaml'));

describe('the scenarios that ship', () => {
  it.each(names)('%s meets its expectations, the same way each time', { timeout: 60_000 }, async (name) => {
    const first = await runFile(`samples/scenarios/${name}`);
    expect(first.end.mismatches).toEqual([]);
    expect(first.end.expectationsMet).toBe(true);
    if (!ALL && names.indexOf(name) % 12 !== 0) return;
    const second = await runFile(`samples/scenarios/${name}`);
    expect(second.trace.map(stepToJson)).toEqual(first.trace.map(stepToJson));
  });

  it('use every verb of the language', async () => {
    const used = new Set<string>();
    for (const name of names) for (const step of (await readScenario(`samples/scenarios/${name}`)).steps) used.add(step.do);
    expect(Object.keys(VERBS).filter((verb) => !used.has(verb))).toEqual([]);
  });
});

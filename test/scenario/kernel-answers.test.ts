/**
 * Scenarios that real kernels (7.1.13, 7.2.13, 7.3.4) ran first: what each step expects is what they answered, and every answer is in
 * them. SCENARIOS names a folder with more of the kind.
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { EngineClient } from '../../src/engine/client.js';
import { readScenario } from '../../src/engine/scenario/parse.js';

const FOLDERS = ['test/fixtures/kernel-answers', ...(process.env.SCENARIOS === undefined ? [] : [process.env.SCENARIOS])];

describe.each(FOLDERS)('%s: the engine answers as the kernel did', (folder) => {
  it.each(readdirSync(folder).filter((name) => name.endsWith('.yaml')))('%s', async (name) => {
    const client = EngineClient.ofScenario(await readScenario(join(folder, name)));
    client.toEnd();
    expect(client.end?.mismatches.map(({ position, expected, got }) => `line ${position.line}: expected ${expected}, got ${got}`)).toEqual([]);
    expect(client.end).toMatchObject({ expectationsMet: true });
  });
});

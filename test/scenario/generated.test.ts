/**
 * The shipped JSON Schema accepts what the parser accepts and needs what
 * it needs. `npm run docs` renews it.
 */
import { readdirSync, readFileSync } from 'node:fs';
import Ajv from 'ajv';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { parseScenario } from '../../src/engine/scenario/parse.js';
import { VERBS } from '../../src/engine/scenario/verbs.js';

const shipped: object = JSON.parse(readFileSync('samples/scenario.schema.json', 'utf8'));
const validate = new Ajv.default({ strict: false }).compile(shipped);
const head = 'schema: luo-inspect.scenario/1\n';
const agree = (source: string): { schema: boolean; parser: boolean } => {
  let parser = true;
  try {
    parseScenario(source, 'x.yaml');
  } catch {
    parser = false;
  }
  return { schema: validate(parse(source)), parser };
};

describe('the JSON Schema', () => {
  const names = readdirSync('samples/scenarios').filter((name) => name.endsWith('.yaml'));
  it.each(names)('accepts the sample %s', (name) => {
    const valid = validate(parse(readFileSync(`samples/scenarios/${name}`, 'utf8'), { stringKeys: true }));
    expect(validate.errors ?? []).toEqual([]);
    expect(valid).toBe(true);
  });

  it.each(Object.entries(VERBS))('needs the keys of %s that the parser needs', (verb, spec) => {
    const needed = Object.entries(spec.keys).filter(([, key]) => key.required);
    for (const [missing] of needed) {
      const rest = needed.filter(([name]) => name !== missing).map(([name]) => `${name}: 1`);
      const source = `${head}steps: [ { ${[`do: ${verb}`, ...rest].join(', ')} } ]\n`;
      expect(agree(source), source).toEqual({ schema: false, parser: false });
    }
  });

  it('and the parser agree on what is right and what is wrong', () => {
    const right = [
      'steps: []',
      'steps: [ { do: open } ]',
      'steps: [ { do: kexec, expect: { errno: EINVAL, ret: -1 } } ]',
      'kernels: [ "7.1", { release: "7.3", kho: off } ]\nsteps: []',
    ];
    const wrong = [
      'steps: [ { do: open, x: 1 } ]',
      'steps: [ { do: opn } ]',
      'title: x',
      'steps: 3',
      'end: never\nsteps: []',
      'reserveMem: [ { name: a } ]\nsteps: []',
    ];
    for (const source of right) expect(agree(head + source), source).toEqual({ schema: true, parser: true });
    for (const source of wrong) expect(agree(head + source), source).toEqual({ schema: false, parser: false });
  });
});

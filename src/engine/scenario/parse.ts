/**
 * Reads a scenario: YAML text becomes the typed form of types.ts, or one line that says where and what is wrong. For the command
 * line, the explorer and the tests. Source: docs/scenarios.md, which is generated from the same tables.
 */
import {
  type Fault,
  type FdRef,
  type ReserveMem,
  type Scenario,
  type ScenarioDevice,
  type ScenarioHandler,
  type ScenarioStep,
  type ScenarioSubtree,
  type SourcePosition,
  isDeviceStep,
  plainKernel,
} from './types.js';
import { readYaml } from '../../codec/budget.js';
import { UserError } from '../../codec/user-error.js';
import { type Cursor, openYaml } from './cursor.js';
import {
  DEFAULT_MACHINE,
  SCENARIO_SCHEMA,
  deviceKeys,
  handlerKeys,
  kernelKeys,
  machineKeys,
  readDevice,
  readHandler,
  readKernel,
  readMachine,
  reserveMemKeys,
  subtree,
} from './document.js';
import { FAULTS, readFault } from './faults.js';
import { type KeyTable, readKeys, required, schemaOfKeys, withDefault } from './keys.js';
import { VFIO_VARIANTS, type VfioVariant } from './terms.js';
import { type JsonSchema, type ValueType, bool, listOf, oneOf, shown, text } from './values.js';
import { type VerbSpec, commonKeys, stepBase } from './verb.js';
import { VERBS } from './verbs.js';

const by = <T>(label: string, schema: JsonSchema, read: (cursor: Cursor) => T): ValueType<T> => ({ label, schema, read });

const kernel = by('release or `{ release, kho, liveupdate }`', { anyOf: [text.schema, schemaOfKeys(kernelKeys)] }, readKernel);
const machine = by('mapping', schemaOfKeys(machineKeys), readMachine);
const device = by('device', schemaOfKeys(deviceKeys), readDevice);
const handler = by('handler', schemaOfKeys(handlerKeys), readHandler);
const reserveMem = by<ReserveMem>('`{ name, size, align }`', schemaOfKeys(reserveMemKeys), (cursor) => ({
  ...readKeys(cursor, reserveMemKeys, 'a reserveMem entry'),
  position: cursor.position,
}));
const fault = by('fault', { anyOf: FAULTS.map((spec) => faultSchema(spec.at, spec.keys)) }, readFault);
const step = by('step', { anyOf: Object.entries(VERBS).map(([name, spec]) => stepSchema(name, spec.keys)) }, readStep);

/** Steps one scenario may have: every one is held, and leaves a trace. */
const MOST_STEPS = 1_000_000;

/** The keys of a scenario's top. */
export const scenarioKeys = {
  schema: required(oneOf([SCENARIO_SCHEMA]), 'which form this file has'),
  title: withDefault(text, 'one line on what it shows', '', ''),
  machine: withDefault(machine, 'the machine', DEFAULT_MACHINE, ''),
  kernels: withDefault(listOf(kernel, 1000), 'the first boots cold; each kexec enters the next; the last repeats', [], '["7.3", "7.3"]'),
  vfio: withDefault<VfioVariant>(
    oneOf(VFIO_VARIANTS),
    '`seed`: patch 07/24 of v3 of the series alone; `v5`: with its later parts; `running`: what it is for, a preserved device is not reset and stays a bus master',
    'seed',
    'seed',
  ),
  singletonGroups: withDefault(bool, 'the PCI core preserves no device that shares its IOMMU group (patch 03/24 of v3); not with `seed`', false, 'false'),
  devices: withDefault<readonly ScenarioDevice[]>(listOf(device, 256), 'PCI devices', [], '[]'),
  handlers: withDefault<readonly ScenarioHandler[]>(listOf(handler, 64), 'file handlers of your own', [], '[]'),
  subtrees: withDefault<readonly ScenarioSubtree[]>(listOf(subtree, 64), 'subtrees of the root FDT of your own', [], '[]'),
  reserveMem: withDefault<readonly ReserveMem[]>(listOf(reserveMem, 64), 'reserve_mem= of the command line', [], '[]'),
  faults: withDefault<readonly Fault[]>(listOf(fault, 1000), 'what goes wrong, and where', [], '[]'),
  steps: required<readonly ScenarioStep[]>(listOf(step, MOST_STEPS), 'what user space does, in order'),
  end: withDefault(oneOf(['finished', 'panic', 'cold-boot']), 'how the run ends', 'finished', 'finished'),
};

/** Reads one entry of `steps`: its verb decides how. */
function readStep(cursor: Cursor): ScenarioStep {
  const name = cursor.entries()?.get('do')?.value;
  if (name === undefined) throw cursor.error(`${shown(cursor)} where a step belongs; a step is { do: <verb>, … }`);
  const specs: Readonly<Record<string, VerbSpec>> = VERBS;
  const spec = name.text !== null && Object.hasOwn(VERBS, name.text) ? specs[name.text] : undefined;
  if (spec === undefined) throw name.error(`${shown(name)} is no verb; verbs are ${Object.keys(VERBS).join(', ')}`);
  const index = indexOf(cursor);
  // The fields are those that the verb of this very name makes: the table is what ScenarioStep is made of.
  return { do: name.text, ...stepBase(cursor, index, spec.keys), ...Object(spec.read(cursor, index)) } as ScenarioStep;
}

/** `steps[12]` -> 12 */
const indexOf = (cursor: Cursor): number => Number(/\[(\d+)\]$/.exec(cursor.path)?.[1] ?? 0);

function stepSchema(name: string, keys: KeyTable): JsonSchema {
  const schema = schemaOfKeys({ ...commonKeys, ...keys });
  return { ...schema, title: name, properties: { ...propertiesOf(schema), do: { const: name } } };
}

function faultSchema(at: string, keys: KeyTable): JsonSchema {
  const schema = schemaOfKeys({ at: required(text, 'the point'), ...keys });
  return { ...schema, title: at, properties: { ...propertiesOf(schema), at: { type: 'string' }, nth: { type: ['integer', 'string'] } } };
}

function propertiesOf(schema: JsonSchema): object {
  return typeof schema.properties === 'object' && schema.properties !== null ? schema.properties : {};
}

/** The JSON Schema of a scenario file, shipped as samples/scenario.schema.json. */
export const scenarioJsonSchema = (): JsonSchema => ({
  $schema: 'http://json-schema.org/draft-07/schema#',
  title: SCENARIO_SCHEMA,
  ...schemaOfKeys(scenarioKeys),
});

/**
 * Reads a scenario from `source`; `file` names it in messages.
 * @throws UserError (`file:line:column: what; what to try`)
 */
export function parseScenario(source: string, file: string): Scenario {
  const top = openYaml(source, file);
  const values = readKeys(top, scenarioKeys, 'a scenario');
  const position = top.position;
  const kernels = values.kernels.length > 0 ? values.kernels : [plainKernel('7.3', position)];
  const { schema: _schema, ...rest } = values;
  const scenario: Scenario = { file, ...rest, kernels };
  checkReferences(scenario);
  return scenario;
}

/** The text of a scenario file, which may be a pipe: it is read once. @throws UserError where it can't be read */
export const scenarioText = (file: string): string => readYaml(file, 'luo-inspect samples lists the scenarios that ship with the package');

/**
 * Reads a scenario file.
 * @throws UserError where it can't be read or is not a scenario
 */
export async function readScenario(file: string): Promise<Scenario> {
  return parseScenario(scenarioText(file), file);
}

/** A descriptor must be named by an earlier step's `as`, a device listed in `devices`. */

/**
 * @throws UserError with line and column for the first name that nothing earlier defines
 */
function checkReferences(scenario: Scenario): void {
  const fail = (position: SourcePosition, what: string): UserError => new UserError(`${scenario.file}:${position.line}:${position.column}: ${what}`);
  const devices = new Set<string>();
  for (const device of scenario.devices) {
    if (devices.has(device.name)) throw fail(device.position, `a second device called ${device.name}; give each its own name`);
    if (scenario.devices.some((other) => other !== device && other.domain === device.domain && other.bdf === device.bdf))
      throw fail(device.position, `a second device at the address of ${device.name}; give each its own bdf`);
    devices.add(device.name);
  }
  for (const fault of scenario.faults)
    if ('device' in fault && fault.device !== null && !devices.has(fault.device))
      throw fail(fault.position, `no device is called ${fault.device}; ${known('devices has', devices)}`);
  const named = new Set<string>();
  for (const step of scenario.steps) {
    const device = deviceOf(step);
    if (device !== null && !devices.has(device)) throw fail(step.position, `no device is called ${device}; ${known('devices has', devices)}`);
    for (const fd of descriptorsOf(step))
      if (typeof fd === 'string' && !named.has(fd))
        throw fail(step.position, `no earlier step is called ${fd} (as: ${fd}); ${known('so far there are', named)}`);
    if ('as' in step && step.as !== null) named.add(step.as);
  }
}

const known = (lead: string, names: ReadonlySet<string>): string => `${lead} ${names.size === 0 ? 'none' : [...names].slice(0, 20).join(', ')}`;

/** The PCI device a step names, if any. On a session verb `device` is the /dev/liveupdate descriptor. */
function deviceOf(step: ScenarioStep): string | null {
  return isDeviceStep(step) && 'device' in step && typeof step.device === 'string' ? step.device : null;
}

function descriptorsOf(step: ScenarioStep): readonly (FdRef | null)[] {
  const found: (FdRef | null)[] = [];
  if ('session' in step) found.push(step.session);
  if ('fd' in step) found.push(step.fd);
  if ('target' in step) found.push(step.target);
  if (step.do === 'create-session' || step.do === 'retrieve-session') found.push(step.device);
  found.push(step.expect.same);
  return found;
}

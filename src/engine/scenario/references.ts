/** Do the names in a scenario mean something? A descriptor must be named by an earlier step's `as`, a device stand in `devices`. */
import { UserError } from '../../codec/user-error.js';
import { type FdRef, type Scenario, type ScenarioStep, type SourcePosition, isDeviceStep } from './types.js';

/**
 * @throws UserError with line and column for the first name that nothing earlier defines
 */
export function checkReferences(scenario: Scenario): void {
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

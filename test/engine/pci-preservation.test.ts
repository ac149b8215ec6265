/** The PCI core's preservation as queued for 7.4: bridges and counts, refusals, freeze at shutdown, the six panics, bus numbers; told apart from version 1. */
import { describe, expect, it } from 'vitest';
import { EngineClient } from '../../src/engine/client.js';
import { parseScenario } from '../../src/engine/scenario/parse.js';
import { diagnose } from '../../src/diagnosis/diagnose.js';
import { decodeHandovers } from '../../src/handover/decode.js';
import { judge } from '../../src/verdict/judge.js';

const NICS = [
  { name: 'nic', bdf: '0000:02:00.0', bridge: '0000:01:00.0' },
  { name: 'nvme', bdf: '0000:02:01.0', bridge: '0000:01:00.0' },
  { name: 'gpu', bdf: '0000:01:01.0', bridge: '0000:00:1c.0' },
];

interface Options {
  readonly devices?: readonly object[];
  readonly kernels?: readonly unknown[];
  readonly faults?: readonly object[];
  readonly before?: readonly object[];
  readonly names?: readonly string[];
  readonly after?: readonly object[];
  readonly end?: string;
  readonly arch?: string;
}

const preserveAll = (names: readonly string[]): object[] =>
  names.flatMap((name, index) => [
    { do: 'vfio', device: name, as: name },
    { do: 'preserve', session: 's', fd: name, token: index + 1 },
  ]);
const takeBack = (names: readonly string[]): object[] => [
  { do: 'open', as: 'luo' },
  { do: 'retrieve-session', name: 'vm', as: 'r' },
  ...names.flatMap((name, index) => [
    { do: 'retrieve', session: 'r', token: index + 1, as: `${name}2` },
    { do: 'vfio-bind', fd: `${name}2` },
  ]),
  { do: 'finish', session: 'r' },
];

function run(options: Options = {}): EngineClient {
  const devices = options.devices ?? NICS;
  const names = options.names ?? ['nic', 'nvme', 'gpu'];
  const scenario = {
    schema: 'luo-inspect.scenario/1',
    title: 'pci',
    machine: { testFlbs: false, ...(options.arch === undefined ? {} : { arch: options.arch }) },
    kernels: options.kernels ?? ['7.4', '7.4'],
    vfio: 'running',
    devices,
    faults: options.faults ?? [],
    steps: [
      { do: 'open', as: 'luo' },
      { do: 'create-session', name: 'vm', as: 's' },
      ...(options.before ?? preserveAll(names)),
      ...(options.before === undefined ? [{ do: 'kexec' }, ...(options.after ?? takeBack(names))] : []),
    ],
    end: options.end ?? 'finished',
  };
  const client = EngineClient.ofScenario(parseScenario(JSON.stringify(scenario), 'pci.yaml'));
  client.toEnd();
  return client;
}

const lines = (client: EngineClient): readonly string[] => client.consoleAt(client.length);
const said = (client: EngineClient, text: string): boolean => lines(client).some((line) => line.includes(text));
const decodedAt = (client: EngineClient, moment: 'frozen' | 'end') => {
  const step = moment === 'end' ? client.length : (client.moments.find((one) => one.moment === moment)?.step ?? 0);
  return decodeHandovers({ memory: client.imageAtStep(step).memory, runningRelease: '7.3.4' });
};

describe('version 2', () => {
  it('lists the bridges above, each with the devices below it; all come back and are finished', () => {
    const client = run();
    expect(client.mismatches).toEqual([]);
    expect(client.end).toMatchObject({ outcome: 'finished' });
    const dump = decodedAt(client, 'frozen');
    const flb = dump.handovers[0]?.luo?.flbs?.find(({ name }) => name.text === 'pci')?.decoded;
    if (flb?.kind !== 'pci') throw new Error('the FLB was not decoded');
    expect(flb.contract.id).toBe('pci-version-2');
    expect(Object.fromEntries(flb.devices.map(({ bdf, refcount }) => [bdf.toString(16), refcount]))).toEqual({
      '200': 1,
      '208': 1,
      '100': 2,
      e0: 3,
      '108': 1,
    });
    expect(diagnose(dump).filter(({ rule }) => rule.startsWith('pci/'))).toEqual([]);
    for (const text of ['nic', '02:01.0', '01:00.0', '00:1c.0'])
      expect(lines(client).filter((line) => line.includes(text)).length, text).toBeGreaterThanOrEqual(text === 'nic' ? 0 : 2);
    // Scratch is bootmem there.
    expect(lines(client).some((line) => /^KHO: bootmem areas: lowmem: \d+MiB/.test(line))).toBe(true);
    expect(said(client, 'pcieport 0000:00:1c.0: Device is finished participating in Live Update')).toBe(true);
  });

  it('a slot that was given back is used again, and its bridge is given back with the last device', () => {
    const client = run({
      names: ['nic'],
      before: [
        ...preserveAll(['nic']),
        { do: 'close', fd: 's' },
        { do: 'create-session', name: 'vm', as: 's' },
        { do: 'vfio', device: 'gpu', as: 'gpu' },
        { do: 'preserve', session: 's', fd: 'gpu', token: 9 },
        { do: 'kexec' },
      ],
    });
    expect(client.mismatches).toEqual([]);
    expect(lines(client).filter((line) => line.includes('no longer be preserved'))).toHaveLength(3);
    const flb = decodedAt(client, 'frozen').handovers[0]?.luo?.flbs?.[0]?.decoded;
    expect(flb?.kind === 'pci' ? flb.devices.map(({ bdf, refcount }) => [bdf, refcount]) : null).toEqual([
      [0x108, 1],
      [0xe0, 1],
    ]);
  });

  it.each([
    ['Cannot preserve Virtual Functions', { vf: true }, 'ENOENT'],
    ['Refusing to preserve device that relies on ACS quirks', { acsQuirk: 'device' }, 'EINVAL'],
    ['pcieport 0000:01:00.0: Refusing to preserve device that relies on ACS quirks', { acsQuirk: 'bridge' }, 'EINVAL'],
  ])('%s', (text, option, errno) => {
    const [nic, ...others] = NICS;
    const client = run({
      devices: [{ ...nic, ...option }, ...others],
      before: [
        { do: 'vfio', device: 'nic', as: 'nic' },
        { do: 'preserve', session: 's', fd: 'nic', token: 1, expect: errno },
      ],
    });
    expect(client.mismatches).toEqual([]);
    // vfio-pci itself refuses a virtual function before the PCI core is asked.
    expect(said(client, text)).toBe(errno === 'EINVAL');
  });

  it('freezes every device at shutdown, for good: a kexec given up after it leaves preservation unusable', () => {
    const client = run({
      faults: [{ at: 'kexec.jump' }],
      before: [
        ...preserveAll(['nic']),
        { do: 'kexec', expect: 'EBUSY' },
        { do: 'create-session', name: 'later', as: 's2' },
        { do: 'vfio', device: 'gpu', as: 'gpu' },
        { do: 'preserve', session: 's2', fd: 'gpu', token: 1, expect: 'EINVAL' },
        { do: 'close', fd: 's' },
      ],
    });
    expect(client.mismatches).toEqual([]);
    expect(said(client, 'Cannot preserve device after it is frozen!')).toBe(true);
  });

  it('keeps what it preserves a bus master, and bus numbers on arm64', () => {
    const client = run({ arch: 'aarch64' });
    expect(client.mismatches).toEqual([]);
    expect(lines(client).some((line) => line.includes('preserved by previous kernel'))).toBe(true);
  });

  it('a preserved bridge that lost its bus numbers: nothing below it is enumerated, and nothing comes back', () => {
    const client = run({
      faults: [{ at: 'pci.bridge-reset', device: 'nic' }],
      after: takeBack(['nic']).slice(0, 2).concat({ do: 'retrieve', session: 'r', token: 1, as: 'x', expect: 'ENODEV' }),
    });
    expect(client.mismatches).toEqual([]);
    expect(said(client, 'preserved bridge 0000:01:00.0 lost its bus number configuration')).toBe(true);
  });
});

describe('panics', () => {
  const panics = (faults: readonly object[], after?: readonly object[]): readonly string[] => {
    const client = run({ faults, end: 'panic', ...(after === undefined ? {} : { after }) });
    return lines(client).filter((line) => line.includes('Kernel panic'));
  };
  const flip = (struct: string, field: string, bit: number, nth = 1): object => ({ at: 'flip', struct, field, bit, nth });

  it('another version', () => {
    expect(panics([flip('pci_ser', 'version', 0)]).join()).toContain('Incoming PCI FLB version (v3) is incompatible with this kernel (v2)');
  });

  it('a broken chain of blocks', () => {
    expect(panics([flip('kho_block_header_ser', 'count', 15, 3)]).join()).toContain('Failed to restore devices KHO block set (-22)');
  });

  it('a device that is listed twice', () => {
    // The second entry is the bridge 01:00.0; one bit makes gpu, 01:01.0, of it.
    expect(panics([flip('pci_dev_ser', 'bdf', 3, 2)]).join()).toContain('Failed to insert PCI device 0000:01:01.0 into xarray (-16)');
  });

  it('LUO could not retrieve it', () => {
    expect(panics([{ at: 'flb.retrieve', flb: 'pci', errno: 'EIO' }]).join()).toContain('Failed to retrieve incoming FLB data (-5)');
  });

  it('devices that were never finished, each by name', () => {
    const client = run({ faults: [flip('pci_ser', 'nr_devices', 3)], end: 'panic' });
    expect(
      lines(client)
        .filter((line) => line.includes('Kernel panic'))
        .join(),
    ).toContain('8 preserved device(s) were never finished!');
  });

  it('no memory', () => {
    // How many allocations come before is the engine's business: the first that fails in the next kernel's enumeration is looked for.
    const sound = run();
    const texts = new Set<string>();
    const before = lines(sound).indexOf('kexec_core: Starting new kernel');
    expect(before).toBeGreaterThan(0);
    for (let nth = 34; nth < 60 && texts.size === 0; nth++)
      for (const line of panics([{ at: 'alloc', nth }])) if (line.includes('pci_flb_incoming')) texts.add(line);
    expect([...texts].join()).toContain('Failed to allocate struct pci_flb_incoming');
  });
});

describe('told apart from version 1', () => {
  it('a kernel of version 2 panics on it; without a PCI FLB, or with pci-v2, nothing comes in and nothing is said', () => {
    const flat = [{ name: 'nic', bdf: '0000:00:05.0' }];
    const from = (kernel: unknown, end: string) => run({ devices: flat, names: ['nic'], kernels: [kernel, '7.4'], end, after: [] });
    const older = from({ release: '7.3', speaks: ['pci-version-1'] }, 'panic');
    expect(lines(older).join()).toContain('Incoming PCI FLB version (v1) is incompatible with this kernel (v2)');
    const flb = decodedAt(older, 'frozen').handovers[0]?.luo?.flbs?.[0]?.decoded;
    expect(flb?.kind === 'pci' ? flb.contract.id : null).toBe('pci-version-1');
    const series = from('7.3', 'finished');
    expect(series.mismatches).toEqual([]);
    expect(lines(series).join()).not.toContain('preserved by previous kernel');
  });

  it('version 1 preserves nothing behind a bridge', () => {
    const client = run({
      kernels: [{ release: '7.3', speaks: ['pci-version-1'] }],
      before: [
        { do: 'vfio', device: 'nic', as: 'nic' },
        { do: 'preserve', session: 's', fd: 'nic', token: 1, expect: 'EINVAL' },
      ],
    });
    expect(client.mismatches).toEqual([]);
    expect(said(client, 'Cannot preserve devices behind bridges')).toBe(true);
  });
});

describe('the verdict on a dump, --next 7.4', () => {
  const verdictOn = (faults: readonly object[], end: string) => {
    const client = run({ faults, end, after: [] });
    const decoded = decodedAt(client, 'frozen');
    const facts = { path: 'pci.elf', memory: decoded.memory, arch: 'x86_64', release: '7.3.4' };
    return judge({ decoded, facts, findings: [], log: null, options: { next: '7.4' } }).verdict;
  };

  it('bridges are told from the sums, so that a sound handover is finished', () => {
    expect(verdictOn([], 'finished')).toMatchObject({
      kind: 'taken-over',
      text: '7.4 (expected) takes over: 1 session with all 3 files come back',
      next: '7.4',
      nextFoundBy: expect.stringContaining('expected, not released'),
      files: { total: 3, comeBack: 3 },
    });
  });

  it('a version that it does not read is a panic', () => {
    expect(verdictOn([{ at: 'flip', struct: 'pci_ser', field: 'version', bit: 0 }], 'panic')).toMatchObject({
      kind: 'panic',
      text: expect.stringContaining('Incoming PCI FLB version (v3)'),
    });
  });
});

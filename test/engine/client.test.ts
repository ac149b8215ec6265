/** The client interface as the debugger uses it: forwards, backwards, breakpoints, marks, edits, and what is there at a step. */
import { describe, expect, it } from 'vitest';
import { type Breakpoint, breakpointText, EngineClient, parseBreakpoint, type Step } from '../../src/engine/client.js';
import { stateTree, type StateNode } from '../../src/engine/trace/state-log.js';
import { scenarioOf } from './scenario-text.js';

const STEPS = [
  'do: open, as: luo',
  'do: create-session, name: vm, as: s',
  'do: memfd, as: ram, size: 8KiB, fill: [ { page: 0, pages: 2, seed: 1 } ]',
  'do: preserve, session: s, fd: ram, token: 0x1',
  'do: preserve, session: s, fd: ram, token: 0x2, expect: EBUSY',
  'do: kexec',
  'do: open, as: luo',
  'do: retrieve-session, name: vm, as: r',
  'do: retrieve, session: r, token: 0x1, as: back',
  'do: finish, session: r',
];
const client = (): EngineClient => EngineClient.ofScenario(scenarioOf(STEPS));
const must = (step: Step | null): Step => {
  if (step === null) throw new Error('there is no such step');
  return step;
};
const all = (engine: EngineClient): Step[] => Array.from({ length: engine.length }, (_, index) => must(engine.stepAt(index + 1)));
const plain = (step: Step): unknown => ({ ...step, writes: [...step.writes] });

describe('stepping', () => {
  it('forwards one by one and at once is the same trace, every time', () => {
    const single = client();
    while (single.step() !== null);
    const whole = client();
    whole.toEnd();
    expect(all(single).map(plain)).toEqual(all(whole).map(plain));
    expect(whole.end).toMatchObject({ outcome: 'finished', expectationsMet: true });
  });

  it('numbers steps from 1, globally, over both kernels', () => {
    const engine = client();
    engine.toEnd();
    expect(all(engine).map((step) => step.step)).toEqual(Array.from({ length: engine.length }, (_, index) => index + 1));
    expect(new Set(all(engine).map((step) => step.kernel))).toEqual(new Set([0, 1]));
  });

  it('next goes over a call, out leaves it, and backwards undoes both', () => {
    const engine = client();
    engine.addBreakpoint(parseBreakpoint('op:memfd.preserve'));
    const entered = must(engine.continue());
    expect(entered).toMatchObject({ op: 'memfd.preserve', phase: 'enter' });
    const left = must(engine.next());
    expect(left).toMatchObject({ op: 'memfd.preserve', phase: 'exit', result: 0, depth: entered.depth });
    expect(must(engine.backOver()).step).toBe(entered.step);
    engine.step();
    expect(must(engine.out()).step).toBe(left.step);
    engine.back();
    expect(must(engine.backOut()).step).toBe(entered.step);
  });

  it('runs to a step in either direction, to a moment, and to the agent’s next step', () => {
    const engine = client();
    expect(must(engine.runTo(60)).step).toBe(60);
    expect(must(engine.runTo(7)).step).toBe(7);
    expect(must(engine.runToMoment('frozen')).op).toBe('moment frozen');
    expect(must(engine.runToMoment('early')).kernel).toBe(1);
    expect(engine.runToMoment('frozen')).toBeNull();
    const action = engine.actionAt(must(engine.runTo(60)).step);
    expect(engine.actionAt(must(engine.toAction(1)).step)).toBe((action ?? 0) + 1);
    expect(engine.runTo(1e9)?.step).toBe(engine.length);
    expect(engine.runTo(0)).toBeNull();
  });

  it('the call stack is what is open, outermost first', () => {
    const engine = client();
    engine.addBreakpoint(parseBreakpoint('op:kho_preserve_vmalloc'));
    engine.continue();
    expect(engine.callStack().map((step) => step.op)).toEqual(['PRESERVE_FD', 'luo_preserve_file', 'memfd.preserve', 'kho_preserve_vmalloc']);
    expect(engine.callStack(0)).toEqual([]);
  });

  it('a failure opens where it happened', () => {
    const engine = EngineClient.ofScenario(scenarioOf([...STEPS.slice(0, 4), 'do: preserve, session: s, fd: ram, token: 0x2', ...STEPS.slice(5)]));
    expect(must(engine.failure())).toMatchObject({ op: 'preserve', errno: 'EBUSY', actor: 'agent' });
    expect(client().failure()).toBeNull();
  });
});

describe('looking back', () => {
  it('memory at a step is what was written up to it', () => {
    const engine = client();
    engine.toEnd();
    const wrote = must(all(engine).find((step) => step.op === 'write luo_session_ser') ?? null);
    const write = wrote.writes.find((one) => one.field === 'name');
    if (write === undefined) throw new Error('the name was not written');
    const read = (step: number): string => {
      const bytes = new Uint8Array(write.length);
      engine.memoryAt(step).readInto(write.address, write.length, bytes);
      return new TextDecoder().decode(bytes).replace(/\0.*$/, '');
    };
    expect(read(wrote.step)).toBe('vm');
    expect(read(wrote.step - 1)).toBe('');
  });

  it('the writes of all steps together make the last memory out of the first', () => {
    const engine = client();
    engine.toEnd();
    const rebuilt = new Map<number, number>();
    for (const step of all(engine))
      for (const { address, after } of step.writes) for (const [offset, byte] of after.entries()) rebuilt.set(address + offset, byte);
    const last = engine.memoryAt(engine.length);
    const one = new Uint8Array(1);
    let differing = 0;
    for (const [address, byte] of rebuilt) {
      last.readInto(address, 1, one);
      if (one[0] !== byte) differing++;
    }
    expect(rebuilt.size).toBeGreaterThan(10_000);
    expect(differing).toBe(0);
  });

  it('state trees are those of the step that is looked at', () => {
    const engine = client();
    engine.toEnd();
    const find = (node: StateNode, path: string): StateNode | undefined =>
      path.split('/').reduce<StateNode | undefined>((at, name) => at?.children.find((child) => child.name === name), node);
    const frozen = must(engine.runTo(0) ?? engine.runToMoment('frozen'));
    expect(find(stateTree(engine.stateAt(frozen.step)), 'kernel 0/sessions/outgoing/vm/files/0x1')?.value).toBe('frozen');
    expect(find(stateTree(engine.stateAt(1)), 'kernel 0/sessions')).toBeUndefined();
    expect(find(stateTree(engine.stateAt(engine.length)), 'kernel 1/sessions/incoming/vm')?.value).toBe('retrieved');
    expect(find(stateTree(engine.stateAt(engine.length)), 'kernel 1/sessions/incoming/vm/files')).toBeUndefined();
    expect(stateTree(new Map())).toMatchObject({ children: [] });
  });

  it('the console is what had been printed by then', () => {
    const engine = client();
    engine.toEnd();
    expect(engine.consoleAt(engine.length)).toContain('kexec_core: Starting new kernel');
    expect(engine.consoleAt(engine.moments.find((one) => one.moment === 'preserved')?.step)).not.toContain('kexec_core: Starting new kernel');
  });
});

describe('breakpoints', () => {
  const forms: readonly [string, (step: Step) => boolean][] = [
    ['op:memfd.freeze', (step) => step.op === 'memfd.freeze' && step.phase === 'enter'],
    ['op:freeze', (step) => step.op === 'memfd.freeze'],
    ['errno:EBUSY', (step) => step.errno === 'EBUSY'],
    ['errno:any', (step) => step.errno !== null],
    ['session:vm', (step) => step.args.session === 'vm' || step.args.name === 'vm'],
    ['token:0x1', (step) => step.args.token === 1n],
    ['log:Starting new kernel', (step) => step.log.length === 1],
    ['actor:next-kernel', (step) => step.actor === 'next-kernel'],
  ];

  it.each(forms)('%s stops where it says', (text, holds) => {
    const engine = client();
    engine.addBreakpoint(parseBreakpoint(text));
    const stop = must(engine.continue());
    expect(stop.step).toBeLessThan(engine.scenario.steps.length * 1000);
    expect(holds(stop)).toBe(true);
    const later = engine.continue();
    engine.backToBreakpoint();
    if (later !== null && engine.end === null) expect(engine.position).toBe(stop.step);
  });

  it('a write to an address stops at the step that makes it', () => {
    const engine = client();
    engine.toEnd();
    const write = all(engine).flatMap((step) => (step.op === 'write luo_ser' ? step.writes : []))[0];
    engine.runTo(0);
    engine.addBreakpoint({ kind: 'write', address: (write?.address ?? 0) + 16, length: 1 });
    expect(must(engine.continue()).writes.some((one) => one.address <= (write?.address ?? 0) + 16)).toBe(true);
  });

  it('are written as they are read', () => {
    const texts = ['op:PRESERVE_FD', 'errno:EINVAL', 'errno:any', 'session:vm-0', 'token:0x1', 'write:0x1000', 'write:0x1000+64', 'log:some text', 'actor:luo'];
    for (const text of texts) expect(breakpointText(parseBreakpoint(text))).toBe(text);
    expect(parseBreakpoint('PRESERVE_FD')).toEqual({ kind: 'op', op: 'PRESERVE_FD' } satisfies Breakpoint);
    for (const text of ['', 'errno:', 'errno:NOSUCH', 'token:x', 'write:y', 'actor:nobody', 'no:such'])
      expect(() => parseBreakpoint(text), text).toThrow(/not a breakpoint/);
  });

  it('can be taken away again', () => {
    const engine = client();
    const breakpoint = parseBreakpoint('errno:EBUSY');
    engine.addBreakpoint(breakpoint);
    expect(engine.breakpoints).toHaveLength(1);
    engine.removeBreakpoint(breakpoint);
    engine.continue();
    expect(engine.end).not.toBeNull();
  });
});

describe('marks and edits', () => {
  it('a mark names a step', () => {
    const engine = client();
    engine.runTo(12);
    engine.mark('here');
    engine.mark('there', 30);
    expect([...engine.marks]).toEqual([
      ['here', 12],
      ['there', 30],
    ]);
    engine.unmark('here');
    expect(engine.marks.has('here')).toBe(false);
  });

  it('an edit of memory at a step changes what happens after it, and can be taken back', () => {
    const engine = client();
    engine.runToMoment('frozen');
    const at = engine.position;
    const written = all(engine).flatMap((step) => (step.op === 'write luo_ser' ? step.writes : []))[0];
    if (written === undefined) throw new Error('luo_ser was not written');
    const edited = must(engine.edit(written.address, new TextEncoder().encode('luo-v9\0')));
    expect(edited).toMatchObject({ step: at + 1, op: 'edit memory' });
    expect(edited.writes).toHaveLength(1);
    engine.toEnd();
    expect(engine.end).toMatchObject({ outcome: 'failed', ending: 'panic' });
    engine.undoEdits();
    engine.toEnd();
    expect(engine.end).toMatchObject({ outcome: 'finished' });
  });

  it('what a step changed is said field by field', () => {
    const engine = client();
    engine.runToMoment('frozen');
    const wrote = must(all(engine).find((step) => step.op === 'write luo_file_ser') ?? null);
    const changes = engine.changesAt(wrote.step);
    expect(changes.map(({ struct, field, beforeText, afterText }) => `${struct}.${field}: ${beforeText} -> ${afterText}`).slice(-3)).toEqual([
      'luo_file_ser.compatible: "" -> "memfd-v2"',
      `luo_file_ser.data: 0x0 -> 0x${BigInt(String(wrote.args.data)).toString(16)}`,
      'luo_file_ser.token: 0x0 -> 0x1',
    ]);
    engine.edit(changes.find((change) => change.field === 'compatible')?.address ?? 0, new TextEncoder().encode('memfd-v9'));
    engine.toEnd();
    expect(engine.consoleAt(engine.length)).toContain("luo: No registered handler for compatible 'memfd-v9'");
  });

  it('steps before an edit stay as they were', () => {
    const before = client();
    before.toEnd();
    const engine = client();
    engine.runTo(50);
    engine.edit(0x200000, Uint8Array.of(1));
    for (let number = 1; number <= 50; number++) expect(plain(must(engine.stepAt(number)))).toEqual(plain(must(before.stepAt(number))));
  });
});

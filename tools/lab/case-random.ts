/**
 * Random scenarios on a real kernel through `luo-inspect live`, many around one kexec, and on the engine: every answer compared. Where they
 * differ, steps are left out as long as the same answer still differs, many attempts a boot.
 */
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { EngineClient } from '../../src/engine/client.js';
import { parseScenario } from '../../src/engine/scenario/parse.js';
import { resultText, simulatedResults } from '../../src/live/live-run.js';
import { COMMAND_LINE, type CaseResult, type LabOptions, MEMORY, withShare } from './case.js';
import { setProgram, type Share } from './guest.js';
import { runGuest } from './qemu.js';
import { Random } from '../random.js';

/** Scenarios that share a boot. */
const BATCH = 50;
/** Attempts at leaving steps out that share a boot, and boots for one difference at most. */
const ATTEMPTS = 60;
const MOST_ROUNDS = 8;
/** So many differences are made smaller; the others are of the same kinds mostly, and are listed as they are. */
const MOST_SHRUNK = 6;

interface Difference {
  readonly origin: Origin;
  readonly kernel: string;
  readonly engine: string;
}

interface Compared {
  readonly steps: number;
  readonly notAsked: number;
  readonly differences: readonly Difference[];
}

export const randomCase = (options: LabOptions): Promise<CaseResult> =>
  withShare(options, async (share) => {
    const scenarios = Array.from({ length: options.count }, (_, index) => randomScenario(index, new Random(options.seed * 100_003 + index)));
    const lines: string[] = [];
    const found: Difference[] = [];
    let steps = 0;
    let notAsked = 0;
    let run = 0;
    for (let from = 0; from < scenarios.length; from += BATCH) {
      const part = scenarios.slice(from, from + BATCH);
      const compared = await compare(share, options, part);
      if (compared === null) {
        lines.push(`scenarios ${from} to ${from + part.length - 1}: the guest did not come to their end`);
        continue;
      }
      run += part.length;
      steps += compared.steps;
      notAsked += compared.notAsked;
      found.push(...compared.differences);
      options.progress?.(`random: ${run} scenarios, ${steps} answers, ${found.length} differ`);
    }
    const kinds = new Map<string, Difference[]>();
    for (const one of found) kinds.set(kindOf(one), [...(kinds.get(kindOf(one)) ?? []), one]);
    for (const [kind, [first, ...more]] of [...kinds].slice(0, MOST_SHRUNK)) {
      if (first === undefined) continue;
      const smallest = await shrink(share, options, first);
      lines.push(`${kind}: ${more.length + 1} times; the smallest (of scenario ${first.origin.scenario.number}):`);
      for (const side of ['before', 'after'] as const) {
        if (side === 'after') lines.push('    { "do": "kexec" }');
        for (const step of smallest[side]) lines.push(`    ${JSON.stringify(step)}`);
      }
    }
    for (const [kind, all] of [...kinds].slice(MOST_SHRUNK)) lines.push(`${kind}: ${all.length} times`);
    const differing = new Set(found.map(({ origin }) => origin.scenario.number)).size;
    lines.push(
      `${run} scenarios, ${steps} answers compared, ${found.length} differ (in ${differing} scenarios), ${notAsked} steps not asked of a real machine`,
    );
    return { lines, compared: options.count, agreed: run - differing };
  });

/** Differences of one kind have the same step and the same two answers. */
const kindOf = ({ origin, kernel, engine }: Difference): string => `${origin.step.do} ${origin.side} the kexec: the kernel ${kernel}, the engine ${engine}`;

/** Null where the guest did not come to the end. */
async function compare(share: Share, options: LabOptions, scenarios: readonly RandomScenario[]): Promise<Compared | null> {
  const batch = withChecks(scenarios, options.release);
  const answers = join(share.path, 'answers');
  for (const name of ['answers', 'random.state']) rmSync(join(share.path, name), { force: true });
  writeFileSync(join(share.path, 'random.yaml'), batch.text);
  setProgram(share, [
    `/host/luo-inspect live /host/random.yaml --yes --allow-kexec --json --state /host/random.state --kernel /host/vmlinuz --initrd /host/initrd.img --append "$(cat /proc/cmdline)" >>/host/answers`,
  ]);
  const run = await runGuest(share, { kernel: options.kernel, memory: MEMORY, append: COMMAND_LINE, seconds: options.seconds });
  const lines = existsSync(answers)
    ? readFileSync(answers, 'utf8')
        .split('\n')
        .filter((line) => line.startsWith('{'))
    : [];
  if (!lines.some((line) => line.startsWith('{"end":true'))) {
    options.progress?.(`random: no end; the console ends: ${run.lines.slice(-6).join(' | ')}`);
    return null;
  }
  const simulated = simulatedResults(parseScenario(batch.text, 'random.yaml'));
  const differences: Difference[] = [];
  let steps = 0;
  let notAsked = 0;
  for (const line of lines) {
    const answer: { step?: number; result?: number | null } = JSON.parse(line);
    if (answer.step === undefined) continue;
    const index = answer.step - 1;
    const origin = batch.origin[index] ?? null;
    if (answer.result === null || answer.result === undefined) notAsked++;
    else {
      steps++;
      const engine = simulated[index] ?? null;
      if (origin !== null && engine !== answer.result) differences.push({ origin, kernel: resultText(answer.result), engine: resultText(engine) });
    }
  }
  return { steps, notAsked, differences };
}

/** The batch with what each `check` finds on the engine as what it is to find: the real kernel then says whether it finds the same. */
function withChecks(scenarios: readonly RandomScenario[], release: string): Batch {
  const client = EngineClient.ofScenario(parseScenario(batchOf(scenarios, release).text, 'random.yaml'));
  client.toEnd();
  const checks = new Map<number, Readonly<Record<string, unknown>>>();
  for (const { action, got } of client.mismatches) {
    const found: Record<string, unknown> = {};
    for (const [, what, value] of got.matchAll(/(size|seals|pos|mode|sha256) is (.*?), not /g)) {
      if (what === undefined || value === undefined || value === 'null' || value === 'none to be had') continue;
      found[what] = what === 'seals' ? (value === 'none' ? [] : value.split(' ')) : what === 'sha256' ? value : Number(value);
    }
    checks.set(action, found);
  }
  return batchOf(scenarios, release, checks);
}

/** Leaves out what is not needed for the difference: whole sides first by halves, then step by step. */
async function shrink(share: Share, options: LabOptions, difference: Difference): Promise<RandomScenario> {
  const kind = kindOf(difference);
  const { origin } = difference;
  // What comes after the step is not needed.
  let smallest: RandomScenario = {
    ...origin.scenario,
    ...(origin.side === 'before'
      ? { before: origin.scenario.before.slice(0, origin.place + 1), after: [] }
      : { after: origin.scenario.after.slice(0, origin.place + 1) }),
  };
  for (let round = 0; round < MOST_ROUNDS; round++) {
    const attempts = smaller(smallest).slice(0, ATTEMPTS);
    if (attempts.length === 0) break;
    const compared = await compare(
      share,
      options,
      attempts.map((attempt, index) => renamed(attempt, index)),
    );
    const differing = new Set((compared?.differences ?? []).filter((one) => kindOf(one) === kind).map((one) => one.origin.scenario.number));
    const next = attempts.filter((_, index) => differing.has(index)).sort((a, b) => lengthOf(a) - lengthOf(b))[0];
    options.progress?.(`random: ${kind}: round ${round + 1}, ${next === undefined ? 'none smaller' : `${lengthOf(next)} steps`}`);
    if (next === undefined) break;
    smallest = next;
  }
  return smallest;
}

const lengthOf = ({ before, after }: RandomScenario): number => before.length + after.length;

/** Without a stretch of steps: halves, quarters and so on, down to single ones. The last step of all is the one that differs. */
function smaller(scenario: RandomScenario): RandomScenario[] {
  const all = [...scenario.before.map((step) => ({ step, side: 'before' as const })), ...scenario.after.map((step) => ({ step, side: 'after' as const }))];
  const attempts: RandomScenario[] = [];
  for (let length = Math.ceil((all.length - 1) / 2); length >= 1; length = length === 1 ? 0 : Math.ceil(length / 2))
    for (let from = 0; from < all.length - 1; from += length) {
      const left = all.filter((_, index) => index < from || index >= Math.min(from + length, all.length - 1));
      const of = (side: 'before' | 'after'): PlainStep[] => left.filter((one) => one.side === side).map(({ step }) => step);
      attempts.push({ number: scenario.number, before: of('before'), after: of('after') });
    }
  return attempts;
}

/** The same under another prefix, so that attempts can share a boot. */
function renamed(scenario: RandomScenario, number: number): RandomScenario {
  const from = new RegExp(`"q${scenario.number}(?=[a-z-])`, 'g');
  const steps = (list: readonly PlainStep[]): PlainStep[] => JSON.parse(JSON.stringify(list).replaceAll(from, `"q${number}`));
  return { number, before: steps(scenario.before), after: steps(scenario.after) };
}

/** A step as a scenario file has it; `expect` is left out: the answers are compared, not judged. */
type PlainStep = { readonly do: string } & Readonly<Record<string, unknown>>;

/** One scenario around a kexec. Its sessions and descriptors bear its own prefix, so that many can share a boot. */
interface RandomScenario {
  readonly number: number;
  readonly before: readonly PlainStep[];
  readonly after: readonly PlainStep[];
}

const SIZES = [0, 1, 77, 4095, 4096, 4097, 8192, 12_288, 20_000, 65_536, 131_072, 262_145, 3_145_828] as const;
const TOKENS = ['0x0', '0x1', '0x2', '0x7fffffffffffffff', '0x8000000000000000', '0xffffffffffffffff'] as const;
const SEALS = ['SEAL', 'SHRINK', 'GROW', 'WRITE', 'FUTURE_WRITE', 'EXEC'] as const;
const KINDS = [
  'eventfd',
  'pipe',
  'socket',
  'session',
  'device',
  'epoll',
  'timerfd',
  'inotify',
  'dev-null',
  'dev-zero',
  'proc',
  'tmpfs',
  'tmpfs-unlinked',
  'o-tmpfile',
];
const PAGE = 4096;

export function randomScenario(number: number, random: Random): RandomScenario {
  const made = new Maker(number, random);
  const before = made.before();
  return { number, before, after: made.after() };
}

class Maker {
  readonly #prefix: string;
  readonly #random: Random;
  #count = 0;
  #steps: PlainStep[] = [];
  /** names of descriptors; those that a failed step never made are among them */
  #sessions: string[] = [];
  #files: string[] = [];
  #others: string[] = [];
  #names: string[] = [];
  readonly #tokens = new Set<string>();

  constructor(number: number, random: Random) {
    this.#prefix = `q${number}`;
    this.#random = random;
  }

  before(): PlainStep[] {
    const random = this.#random;
    this.#createSession();
    this.#memfd();
    this.#preserve();
    for (let left = 6 + random.below(20); left > 0; left--) this.#one(this.#outgoing);
    return this.#taken();
  }

  after(): PlainStep[] {
    const random = this.#random;
    const tokens = [...this.#tokens];
    this.#sessions = [];
    this.#files = [];
    this.#others = [];
    const names = [...this.#names];
    for (const name of names) {
      if (random.chance(0.1)) continue;
      const as = this.#newSession();
      this.#add({ do: 'retrieve-session', name, as });
      for (const token of tokens) if (random.chance(0.7)) this.#retrieve(as, token);
      if (random.chance(0.3)) this.#add({ do: 'get-name', session: as });
      if (random.chance(0.5)) this.#add({ do: 'finish', session: as });
    }
    for (let left = random.below(14); left > 0; left--) this.#one(this.#incoming);
    return this.#taken();
  }

  readonly #outgoing: readonly (() => void)[] = [
    () => this.#createSession(),
    () => this.#memfd(),
    () => this.#memfd(),
    () => this.#preserve(),
    () => this.#preserve(),
    () => this.#preserve(),
    () => this.#fileStep(),
    () => this.#fileStep(),
    () => this.#fileStep(),
    () => this.#other(),
    () => this.#wrong(),
    () => this.#check(),
    () => this.#close(),
  ];

  readonly #incoming: readonly (() => void)[] = [
    () => this.#memfd(),
    () => this.#createSession(),
    () => this.#preserve(),
    () => this.#fileStep(),
    () => this.#fileStep(),
    () => this.#check(),
    () => this.#wrong(),
    () => this.#close(),
    () => this.#retrieve(this.#session(), this.#token()),
    () => this.#add({ do: 'retrieve-session', name: this.#random.pick([...this.#names, `${this.#prefix}-none`]), as: this.#newSession() }),
    () => this.#add({ do: 'finish', session: this.#session() }),
  ];

  #one(from: readonly (() => void)[]): void {
    this.#random.pick(from)();
  }

  #add(step: PlainStep): void {
    this.#steps.push(step);
  }

  #taken(): PlainStep[] {
    const steps = this.#steps;
    this.#steps = [];
    return steps;
  }

  #as(kind: string): string {
    return `${this.#prefix}${kind}${++this.#count}`;
  }

  #newSession(): string {
    const as = this.#as('s');
    this.#sessions.push(as);
    return as;
  }

  #session(): string {
    const all = this.#random.chance(0.05) ? [...this.#files, ...this.#others] : this.#sessions;
    return all.length === 0 ? 'never-made' : this.#random.pick(all);
  }

  #file(): string {
    const all = this.#random.chance(0.1) ? [...this.#others, ...this.#sessions] : this.#files;
    return all.length === 0 ? this.#memfd() : this.#random.pick(all);
  }

  #token(): string {
    return this.#random.chance(0.7) ? this.#random.pick(TOKENS) : `0x${this.#random.below(2 ** 31).toString(16)}`;
  }

  #createSession(): void {
    const random = this.#random;
    const plain = `${this.#prefix}-${random.below(5)}`;
    const name: unknown = random.chance(0.1) ? random.pick(['', 'x'.repeat(64), { hex: Buffer.from(`${plain}\u00ff/`, 'latin1').toString('hex') }]) : plain;
    if (name === plain && !this.#names.includes(plain)) this.#names.push(plain);
    this.#add({ do: 'create-session', name, as: this.#newSession(), ...this.#shape() });
  }

  /** Now and then an argument of another size. */
  #shape(): Readonly<Record<string, unknown>> {
    const random = this.#random;
    if (!random.chance(0.06)) return {};
    return random.pick([{ size: 0 }, { size: 4 }, { size: 128 }, { size: 128, tail: 1 }, { null: true }]);
  }

  #seals(): readonly string[] {
    const random = this.#random;
    return random.chance(0.5) ? [] : SEALS.filter((seal) => random.chance(seal === 'SEAL' ? 0.1 : 0.35));
  }

  #memfd(): string {
    const random = this.#random;
    const as = this.#as('m');
    this.#files.push(as);
    const size = random.pick(SIZES);
    const pages = Math.ceil(size / PAGE);
    const fill = Array.from({ length: pages === 0 ? 0 : random.below(3) }, () => {
      const page = random.below(pages);
      return { page, pages: 1 + random.below(Math.min(8, pages - page)), seed: 1 + random.below(1000) };
    });
    this.#add({
      do: 'memfd',
      as,
      size,
      ...(random.chance(0.3) ? { flags: random.pick([[], ['NOEXEC_SEAL'], ['ALLOW_SEALING', 'EXEC'], ['NOEXEC_SEAL', 'ALLOW_SEALING']]) } : {}),
      ...(random.chance(0.15) && size > 0 ? { fallocate: { offset: 0, size: 1 + random.below(size) } } : {}),
      fill,
      ...(random.chance(0.2) && size > 0 ? { writes: [{ offset: random.below(size), data: 'x' }] } : {}),
      seals: this.#seals(),
      pos: random.pick([0, 1, 77, 4096, size]),
    });
    return as;
  }

  #preserve(): void {
    const token = this.#token();
    this.#tokens.add(token);
    this.#add({ do: 'preserve', session: this.#session(), fd: this.#file(), token, ...this.#shape() });
  }

  #retrieve(session: string, token: string): void {
    const as = this.#as('f');
    this.#add({ do: 'retrieve', session, token, as, ...this.#shape() });
    this.#files.push(as);
    this.#add({ do: 'check', fd: as });
  }

  #fileStep(): void {
    const random = this.#random;
    const fd = this.#file();
    const offset = random.pick([0, 1, 100, 4095, 4096, 8192, 20_000, 1_048_576]);
    const size = 1 + random.below(random.pick([10, 5000, 100_000]));
    this.#add(
      random.pick<PlainStep>([
        { do: 'write', fd, offset, size },
        { do: 'write', fd, fill: [{ page: random.below(4), pages: 1 + random.below(3), seed: 1 + random.below(1000) }] },
        { do: 'truncate', fd, size: random.pick(SIZES) },
        { do: 'fallocate', fd, mode: random.pick(['allocate', 'keep-size', 'punch-hole']), offset, size },
        { do: 'seal', fd, seals: random.pick([this.#seals(), [random.pick(SEALS)]]) },
        { do: 'seek', fd, pos: random.pick([0, 1, 4096, 1_000_000]) },
        { do: 'mmap', fd, write: random.chance(0.7), shared: random.chance(0.8) },
      ]),
    );
  }

  #other(): void {
    const random = this.#random;
    const as = this.#as('o');
    this.#others.push(as);
    const fd = this.#file();
    this.#add(
      random.pick<PlainStep>([
        { do: 'fd', kind: random.pick(KINDS), as },
        { do: 'dup', fd, as },
        { do: 'reopen', fd, mode: random.pick(['rw', 'ro', 'wo', 'path']), as },
      ]),
    );
  }

  #wrong(): void {
    const random = this.#random;
    this.#add(
      random.pick<PlainStep>([
        { do: 'open' },
        { do: 'get-name', session: this.#session(), ...this.#shape() },
        { do: 'finish', session: this.#session(), ...(random.chance(0.5) ? { reserved: 1 } : {}) },
        { do: 'retrieve', session: this.#session(), token: this.#token(), as: this.#as('f') },
        { do: 'retrieve-session', name: random.pick([...this.#names, '']), as: this.#as('s') },
        { do: 'create-session', name: `${this.#prefix}-w`, device: this.#file(), as: this.#as('s') },
        { do: 'preserve', session: this.#session(), fd: -1, token: this.#token() },
      ]),
    );
  }

  #check(): void {
    this.#add({ do: 'check', fd: this.#file() });
  }

  #close(): void {
    const random = this.#random;
    const all = random.pick([this.#sessions, this.#files, this.#others]);
    if (all.length > 0) this.#add({ do: 'close', fd: random.pick(all) });
  }
}

/** Many scenarios as one file: all that comes before the kexec, the kexec, all that comes after it. */
interface Batch {
  readonly text: string;
  /** by step of the file: of which scenario it is, and which of its steps; null for the steps around them */
  readonly origin: readonly (Origin | null)[];
}

interface Origin {
  readonly scenario: RandomScenario;
  readonly step: PlainStep;
  readonly side: 'before' | 'after';
  /** among the scenario's steps of that side */
  readonly place: number;
}

/** A name that no step before gives stands for a descriptor that is not open. */
function withKnownNames(step: PlainStep, named: ReadonlySet<unknown>): PlainStep {
  const unknown = ['fd', 'session', 'device'].filter((key) => typeof step[key] === 'string' && !named.has(step[key]));
  return unknown.length === 0 ? step : { ...step, ...Object.fromEntries(unknown.map((key) => [key, -1])) };
}

/** @param checks what a `check` step is to find, by step of the file */
export function batchOf(
  scenarios: readonly RandomScenario[],
  release: string,
  checks: ReadonlyMap<number, Readonly<Record<string, unknown>>> = new Map(),
): Batch {
  const steps: PlainStep[] = [];
  const origin: Batch['origin'][number][] = [];
  const around = (step: PlainStep): void => {
    steps.push(step);
    origin.push(null);
  };
  const part = (side: 'before' | 'after'): void => {
    for (const scenario of scenarios) {
      const named = new Set<unknown>();
      for (const [place, step] of scenario[side].entries()) {
        origin.push({ scenario, step, side, place });
        const known = withKnownNames(step, named);
        steps.push(step.do === 'check' ? { ...known, ...(checks.get(steps.length) ?? UNKNOWN_FILE) } : known);
        named.add(step.as);
      }
    }
  };
  around({ do: 'open', as: 'luo' });
  part('before');
  around({ do: 'kexec' });
  around({ do: 'open', as: 'luo2' });
  part('after');
  const text = [
    'schema: luo-inspect.scenario/1',
    'title: random scenarios around one kexec',
    'machine: { memory: 1GiB, scratch: [160MiB, 4MiB, 4MiB] }',
    `kernels: ["${release}", "${release}"]`,
    'steps:',
    ...steps.map((step) => `  - ${JSON.stringify(step)}`),
    '',
  ].join('\n');
  return { text, origin };
}

/** What no file is: the engine's answer then says what it found in place of it. */
const UNKNOWN_FILE: Readonly<Record<string, unknown>> = { size: 2 ** 40 + 1, seals: ['EXEC', 'SEAL'], pos: 2 ** 40 + 1, mode: 0, sha256: 'unknown' };

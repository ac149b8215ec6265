/** What the agent is told to make, also as a scenario for the engine, and what it says of each file. */
import { flagsIn } from '../../abi/layout.js';
import { F_SEAL } from '../../abi/memfd/v2.js';
import { patternPage } from '../../src/engine/fs/pattern.js';

export interface PlannedFile {
  /** 0x… */
  readonly token: string;
  /** bytes */
  readonly size: number;
  /** F_SEAL_… by number */
  readonly seals: number;
  readonly position: number;
  readonly seed: number;
  /** pages filled with the content pattern, from the first on */
  readonly pages: number;
}

export interface PlannedSession {
  readonly name: string;
  readonly files: readonly PlannedFile[];
}

const PAGE = 4096;

export const planned = (token: string, size: number, seals: number, position: number, seed: number, pages: number): PlannedFile => ({
  token,
  size,
  seals,
  position,
  seed,
  pages,
});

/** Lines of the agent's plan. */
export const planLines = (sessions: readonly PlannedSession[]): readonly string[] =>
  sessions.flatMap(({ name, files }) => [
    `session ${name}`,
    ...files.map(({ token, size, seals, position, seed, pages }) => `memfd ${token} ${size} ${seals} ${position} ${seed} ${pages}`),
    'end',
  ]);

/** The same for the engine, up to the jump. @param machine as a scenario writes it */
export function planScenario(sessions: readonly PlannedSession[], machine: Readonly<Record<string, unknown>>, release: string): string {
  const steps: Readonly<Record<string, unknown>>[] = [{ do: 'open', as: 'luo' }];
  for (const [number, { name, files }] of sessions.entries()) {
    steps.push({ do: 'create-session', name, as: `s${number}` });
    for (const [index, file] of files.entries()) {
      const as = `m${number}-${index}`;
      const fill = file.pages === 0 ? [] : [{ page: 0, pages: file.pages, seed: file.seed }];
      const seals = flagsIn(F_SEAL, file.seals);
      steps.push({ do: 'memfd', as, size: file.size, fill, seals, pos: file.position }, { do: 'preserve', session: `s${number}`, fd: as, token: file.token });
    }
  }
  steps.push({ do: 'kexec' });
  return JSON.stringify({ schema: 'luo-inspect.scenario/1', title: 'what the lab plans', machine, kernels: [release, release], steps });
}

/** The agent's line for a file that is as it was made. */
export function fileLine({ token, size, seals, position, seed, pages }: PlannedFile): string {
  const contents = new Uint8Array(size);
  for (let page = 0; page < pages; page++) contents.set(patternPage(seed, page, PAGE).subarray(0, Math.max(0, size - page * PAGE)), page * PAGE);
  return `F ${token} 0 ${size} ${position} ${seals} ${fnv(contents)}`;
}

/** FNV-1a of 64 bits, as the agent computes it. */
function fnv(bytes: Uint8Array): string {
  let hash = 0xcbf29ce484222325n;
  for (const byte of bytes) hash = ((hash ^ BigInt(byte)) * 0x100000001b3n) & 0xffffffffffffffffn;
  return hash.toString(16).padStart(16, '0');
}

/** What must hold of every run, whatever the input: status, one line of error, valid JSON, nothing that steers a terminal, time, memory. */

export interface Outcome {
  readonly args: readonly string[];
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
  /** processor time in seconds */
  readonly cpu: number;
  /** resident bytes above those before the run */
  readonly grown: number;
}

export const MOST_SECONDS = 10;
export const MOST_BYTES = 500 << 20;

const STEERS = /[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]|[\u{e0000}-\u{e007f}]/u;

/** What does not hold, a sentence each. */
export function* broken({ args, status, stdout, stderr, cpu, grown }: Outcome): Iterable<string> {
  if (![0, 1, 2].includes(status)) yield `status ${status}`;
  if (/internal error|^\s+at .*:\d+:\d+/m.test(stderr)) yield `not handled: ${stderr.slice(0, 400)}`;
  if (status === 2 && !/^(luo-inspect: [^\n]+\n)+$/.test(stderr)) yield `status 2 without a line that says why: ${JSON.stringify(stderr.slice(0, 200))}`;
  if (status !== 2 && args.includes('--json')) {
    const documents = args[0] === 'sim' || args[0] === 'step' ? stdout.trim().split('\n') : [stdout];
    for (const document of documents) {
      try {
        JSON.parse(document);
      } catch {
        yield `no JSON: ${JSON.stringify(document.slice(0, 200))}`;
        break;
      }
    }
  }
  for (const [name, text] of [
    ['standard output', stdout],
    ['standard error', stderr],
  ] as const) {
    const at = STEERS.exec(text);
    if (at !== null) yield `${name} holds ${JSON.stringify(text.slice(Math.max(0, at.index - 40), at.index + 10))}`;
  }
  if (cpu > MOST_SECONDS) yield `${cpu.toFixed(1)} s of processor time`;
  if (grown > MOST_BYTES) yield `${Math.round(grown / 2 ** 20)} MiB of memory`;
}

/** How a kernel's log says that it died: the line, the task, and the stack it printed. Sources: kernel/panic.c, lib/dump_stack.c, arch/x86/kernel/dumpstack.c, arch/arm64/kernel/stacktrace.c, 7.3. */

export interface PanicStory {
  /** index of the line that says it */
  readonly line: number;
  readonly text: string;
  readonly task: { readonly pid: number; readonly comm: string; readonly cpu: number } | null;
  /** what was running when it went wrong, innermost first, as the kernel printed it: `symbol+0x12/0x34` */
  readonly stack: readonly string[];
}

const DEATH = [/^Kernel panic - not syncing: /, /^(?:Oops|Internal error): /, /^BUG: /, /^kernel BUG at /, /^Unable to handle kernel /];
const TASK = /^CPU: (\d+) (?:UID: \d+ )?PID: (\d+) Comm: (.+?) (?:Not tainted|Tainted)/;
const FRAME = /^\s*(?:\[<[0-9a-f]+>\] )?(\?? ?[\w.]+\+0x[0-9a-f]+\/0x[0-9a-f]+(?: \[\w+\])?)/;
const STACK_START = /^Call [Tt]race:/;
/** Lines of a register dump between the line that says it and its stack. */
const REACH = 120;

/** The last death in the log: a panic that follows an Oops tells of the Oops's task. Null where the kernel did not die. */
export function panicIn(lines: readonly string[]): PanicStory | null {
  const panic = lastIndex(lines, (text) => DEATH[0]?.test(text) === true);
  const first = lines.findIndex((text) => DEATH.some((pattern) => pattern.test(text)));
  const line = panic === -1 ? first : panic;
  if (line === -1) return null;
  // The trace of an Oops stands before the panic that it leads to.
  const from = first === -1 ? line : Math.min(first, line);
  const window = lines.slice(from, line + REACH);
  const task = window.map((text) => TASK.exec(text)).find((match) => match !== null) ?? null;
  const start = window.findIndex((text) => STACK_START.test(text));
  const stack: string[] = [];
  if (start !== -1)
    for (const text of window.slice(start + 1)) {
      if (/^\s*<\/?\w+>$/.test(text)) continue;
      const frame = FRAME.exec(text);
      if (frame?.[1] === undefined) break;
      stack.push(frame[1].trim());
    }
  return {
    line,
    text: lines[line] ?? '',
    task: task === null ? null : { cpu: Number(task[1]), pid: Number(task[2]), comm: task[3] ?? '' },
    stack,
  };
}

function lastIndex(lines: readonly string[], test: (text: string) => boolean): number {
  for (let index = lines.length - 1; index >= 0; index--) if (test(lines[index] ?? '')) return index;
  return -1;
}

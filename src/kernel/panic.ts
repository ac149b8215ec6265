/** How a kernel's log says that it died: the line, its cause, the task, and the stack it printed. Sources: kernel/panic.c, lib/dump_stack.c, arch/x86/kernel/dumpstack.c, arch/arm64/kernel/stacktrace.c, 7.3. */

export interface PanicStory {
  /** index of the line that says it */
  readonly line: number;
  readonly text: string;
  /** false where an Oops ended a task, and the kernel ran on */
  readonly panicked: boolean;
  /** what an Oops or a warning said that the panic follows; null where the panic speaks for itself */
  readonly cause: string | null;
  readonly task: { readonly pid: number; readonly comm: string; readonly cpu: number } | null;
  /** what was running when it went wrong, innermost first, as the kernel printed it: `symbol+0x12/0x34` */
  readonly stack: readonly string[];
}

const PANIC = /^Kernel panic - not syncing: /;
const OOPS = /^(?:Oops|Internal error|BUG|kernel BUG at|Unable to handle kernel)\b/;
/** Panics that follow something else, and what that starts with. */
const FOLLOWS: readonly { readonly panic: RegExp; readonly cause: RegExp }[] = [
  { panic: /Fatal exception|panic_on_oops/, cause: OOPS },
  { panic: /panic_on_warn/, cause: /^WARNING: / },
];
const TASK = /^CPU: (\d+) (?:UID: \d+ )?PID: (\d+) Comm: (.+?) (?:Not tainted|Tainted)/;
/** Where it happened, before the frames of those that called: the kernel's code segment on x86, pc on arm64. */
const PLACE = /^(?:RIP: 0010:|pc : )([\w.]+\+0x[0-9a-f]+\/0x[0-9a-f]+)/;
const FRAME = /^\s*(?:\[<[0-9a-f]+>\] )?(\?? ?[\w.]+\+0x[0-9a-f]+\/0x[0-9a-f]+(?: \[\w+\])?)/;
const STACK_START = /^Call [Tt]race:/;
const TRACE_END = /^---\[ end trace /;
/** Lines of a register dump between the line that says it and its stack. */
const REACH = 120;

/** The last death in the log: that of the kernel, else of a task. A panic that follows an Oops tells of the Oops's task. Null where nothing died. */
export function panicIn(lines: readonly string[]): PanicStory | null {
  const panic = lines.findLastIndex((text) => PANIC.test(text));
  const line = panic === -1 ? lines.findLastIndex((text) => OOPS.test(text)) : panic;
  if (line === -1) return null;
  const from = panic === -1 ? startOfOops(lines, line, OOPS) : causeOf(lines, panic);
  const window = lines.slice(from, line + REACH);
  const task = window.map((text) => TASK.exec(text)).find((match) => match !== null) ?? null;
  const start = window.findIndex((text) => STACK_START.test(text));
  const place = window
    .slice(0, start === -1 ? undefined : start)
    .map((text) => PLACE.exec(text)?.[1])
    .find((found) => found !== undefined);
  const stack: string[] = place === undefined ? [] : [place];
  if (start !== -1)
    for (const text of window.slice(start + 1)) {
      if (/^\s*<\/?\w+>$/.test(text)) continue;
      const frame = FRAME.exec(text)?.[1]?.trim();
      if (frame === undefined) break;
      // arm64 lists the place as the first frame as well.
      if (frame !== place) stack.push(frame);
    }
  return {
    line,
    text: lines[line] ?? '',
    panicked: panic !== -1,
    cause: from === line ? null : (lines[from] ?? null),
    task: task === null ? null : { cpu: Number(task[1]), pid: Number(task[2]), comm: task[3] ?? '' },
    stack,
  };
}

/** Index of the line that says why a panic came; its own where it speaks for itself. */
function causeOf(lines: readonly string[], panic: number): number {
  const pattern = FOLLOWS.find((one) => one.panic.test(lines[panic] ?? ''))?.cause;
  return pattern === undefined ? panic : startOfOops(lines, panic, pattern);
}

/** The first line of `pattern` in the report that ends at, or is before, `line`: an earlier report ends with its own end mark. */
function startOfOops(lines: readonly string[], line: number, pattern: RegExp): number {
  let first = line;
  let ends = 0;
  for (let index = line - 1; index >= Math.max(0, line - REACH); index--) {
    const text = lines[index] ?? '';
    if (TRACE_END.test(text) && (ends++ > 0 || first !== line || pattern.test(lines[line] ?? ''))) break;
    if (pattern.test(text)) first = index;
  }
  return first;
}

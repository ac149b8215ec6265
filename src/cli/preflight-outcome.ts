/**
 * What survives, session by session: the sessions that are open now, handed over by the engine's kernel of the running release to the next
 * one, with both command lines. Their files stand in the kernel's own objects, which no file of /proc or debugfs shows before the reboot
 * call; a session that comes back is one that does if its files can be handed over.
 */
import { EngineClient, engineReleases } from '../engine/client.js';
import { parseScenario } from '../engine/scenario/parse.js';
import type { SessionOutcome } from '../preflight/preflight.js';
import { engineRelease, isOff } from '../verdict/next-kernel.js';
import { errnoName } from '../../abi/errno.js';

interface OutcomeInput {
  readonly sessions: readonly string[];
  /** version text of the running kernel; null where it is not known */
  readonly running: string | null;
  /** the next kernel's release; null where it is not known: then the running one's */
  readonly next: string | null;
  /** its command line; null where none is known */
  readonly cmdline: string | null;
}

/** More names than this are not tried one by one. */
const MOST_SESSIONS = 10_000;

/** One for each session; empty where the engine has no kernel of these releases. */
export function outcomesOf({ sessions, running, next, cmdline }: OutcomeInput): readonly SessionOutcome[] {
  const from = running === null ? null : engineRelease(running);
  const to = next === null ? from : engineRelease(next);
  if (from === null || to === null || sessions.length === 0 || sessions.length > MOST_SESSIONS) return [];
  if (engineReleases.find(({ release }) => from.startsWith(release)) === undefined) return [];
  const client = EngineClient.ofScenario(
    parseScenario(scenario(sessions, from, { release: to, kho: !isOff(cmdline, 'kho'), liveupdate: !isOff(cmdline, 'liveupdate') }), 'preflight'),
  );
  client.toEnd();
  // The agent's answers, in the order of the program.
  const answers = new Map<number, number>();
  for (const step of client.briefSteps()) if (step.actor === 'agent' && step.action !== null) answers.set(step.action, step.result ?? 0);
  const { end } = client;
  const kexec = 1 + sessions.length;
  return sessions.map((name, index): SessionOutcome => {
    const lost = (text: string): SessionOutcome => ({ session: name, outcome: 'lost', text });
    const made = answers.get(1 + index) ?? 0;
    if (made !== 0) return { session: name, outcome: 'unknown', text: `the engine's ${from} does not make it (${named(made)})` };
    if ((answers.get(kexec) ?? 0) !== 0) return { session: name, outcome: 'unknown', text: `the reboot call is refused (${named(answers.get(kexec) ?? 0)})` };
    if (end?.ending === 'panic') return lost(`${to} goes down${end.reason === null ? '' : `: ${end.reason}`}`);
    const opened = answers.get(kexec + 1) ?? 0;
    if (opened !== 0) return lost(`opening /dev/liveupdate fails with ${named(opened)} on ${to}`);
    const got = answers.get(kexec + 2 + index);
    if (got === undefined) return { session: name, outcome: 'unknown', text: 'the engine did not come so far' };
    return got === 0 ? { session: name, outcome: 'comes-back', text: `${to} gives it back` } : lost(`retrieving it fails with ${named(got)} on ${to}`);
  });
}

const named = (result: number): string => errnoName(-result) ?? String(result);

function scenario(sessions: readonly string[], from: string, to: Readonly<Record<string, unknown>>): string {
  return JSON.stringify({
    schema: 'luo-inspect.scenario/1',
    kernels: [from, to],
    steps: [
      { do: 'open', as: 'luo' },
      ...sessions.map((name, index) => ({ do: 'create-session', name, as: `s${index}` })),
      { do: 'kexec' },
      { do: 'open', as: 'next' },
      ...sessions.map((name, index) => ({ do: 'retrieve-session', name, as: `r${index}` })),
    ],
  });
}

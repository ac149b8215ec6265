/**
 * `kvm.json` beside the pages of a folder: what each KVM_RUN returned, which the pages themselves do not tell. Read leniently: `runs`,
 * each with `file`, and `errno` (0 where KVM_RUN returned 0). For the `kvm` command.
 */
import { UserError } from '../codec/user-error.js';

export const RUN_LOG = 'kvm.json';

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> => typeof value === 'object' && value !== null && !Array.isArray(value);

/**
 * @returns errno by file name; runs that name no file, or no errno, are passed over
 * @throws UserError where it is no JSON object with `runs`
 */
export function errnosOf(text: string, path: string): ReadonlyMap<string, number> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    throw new UserError(`${path}: not JSON; move it away, or give the errno of all with --errno`);
  }
  const runs = isRecord(parsed) ? parsed.runs : null;
  if (!Array.isArray(runs)) throw new UserError(`${path}: it has no list "runs"; move it away, or give the errno of all with --errno`);
  const errnos = new Map<string, number>();
  for (const run of runs) {
    if (!isRecord(run) || typeof run.file !== 'string' || typeof run.errno !== 'number' || !Number.isInteger(run.errno)) continue;
    errnos.set(run.file, Math.abs(run.errno));
  }
  return errnos;
}

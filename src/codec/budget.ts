/**
 * What one command has left of each limit, so that no file keeps it busy for hours or fills memory, however its parts share and
 * nest. Whoever reads takes from the budget of the command it runs in; `diagnose` tells what ran out.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { type LimitName, limits } from './limits.js';
import { readHead } from './named-file.js';
import { UserError } from './user-error.js';

/** A limit that ended something. */
interface Reached {
  readonly limit: LimitName;
  readonly allowed: number;
  /** where, in words */
  readonly where: string;
  /** how much more there was; null where that is not known */
  readonly left: number | null;
}

export class Budget {
  readonly #allowed = new Map<LimitName, number>();
  readonly #spent = new Map<LimitName, number>();
  readonly #reached = new Map<LimitName, Reached>();
  readonly #of: Budget | null;

  /** @param raised limits other than those of the table @param of the command's, which notes what is reached here */
  constructor(raised: Partial<Readonly<Record<LimitName, number>>> = {}, of: Budget | null = null) {
    for (const [name, { allowed }] of entriesOf(limits)) this.#allowed.set(name, raised[name] ?? allowed);
    this.#of = of;
  }

  /** The same limits, of which nothing is spent: for another dump of one command. */
  again(): Budget {
    return new Budget(Object.fromEntries(this.#allowed), this);
  }

  allowed(name: LimitName): number {
    return this.#allowed.get(name) ?? 0;
  }

  raise(name: LimitName, allowed: number): void {
    this.#allowed.set(name, allowed);
  }

  left(name: LimitName): number {
    return Math.max(0, this.allowed(name) - (this.#spent.get(name) ?? 0));
  }

  /** Takes `amount`. False where that is more than was left: the caller stops, and it is noted. @param where in words */
  spend(name: LimitName, amount: number, where: string): boolean {
    const spent = (this.#spent.get(name) ?? 0) + amount;
    this.#spent.set(name, spent);
    if (spent <= this.allowed(name)) return true;
    this.reach(name, where);
    return false;
  }

  /** Notes that a limit ended something; the first of its kind is kept. */
  reach(name: LimitName, where: string, left: number | null = null): void {
    if (!this.#reached.has(name)) this.#reached.set(name, { limit: name, allowed: this.allowed(name), where, left });
    this.#of?.reach(name, where, left);
  }

  get reached(): readonly Reached[] {
    return [...this.#reached.values()];
  }
}

function entriesOf<K extends string, V>(record: Readonly<Record<K, V>>): [K, V][] {
  const isKey = (key: string): key is K => Object.hasOwn(record, key);
  return Object.keys(record)
    .filter(isKey)
    .map((key) => [key, record[key]]);
}

/** What to try where a limit refuses. */
export const raise = (budget: Budget, limit: LimitName): string => `give --limit ${limit}=${budget.allowed(limit) * 8}`;

/** A parsed YAML file takes some 400 times its size. @param length in bytes @throws UserError where the file is larger than a command reads */
export function checkYamlSize(length: number, file: string): void {
  const budget = currentBudget();
  if (length > budget.allowed('yaml-bytes'))
    throw new UserError(`${file}: more than ${budget.allowed('yaml-bytes')} bytes of YAML; split it, or ${raise(budget, 'yaml-bytes')}`);
}

/** The text of a YAML file. @param advice what to give in its place @throws UserError where it can't be read, or is too long */
export function readYaml(file: string, advice: string): string {
  const bytes = readHead(file, currentBudget().allowed('yaml-bytes') + 1, advice);
  checkYamlSize(bytes.length, file);
  return bytes.toString('utf8');
}

/** What is wrong with a YAML file, by what its library threw: one line. */
export const yamlTrouble = ({ message }: Error): string => (/call stack/.test(message) ? 'nested too deeply to read' : (message.split('\n', 1)[0] ?? message));

/** In words: what was reached, how much that is, and what raises it. */
export const reachedText = ({ limit, allowed, where, left }: Reached): string =>
  `${where}: more than ${allowed} ${limits[limit].unit} (${limits[limit].counts})${left === null ? '' : `, ${left} of them not looked at`}; --limit ${limit}=${allowed * 8} goes on`;

const storage = new AsyncLocalStorage<Budget>();

/** The budget of the command that runs; outside of one, a fresh one each time it is asked for. */
export const currentBudget = (): Budget => storage.getStore() ?? new Budget();

/** Runs `work`, and whatever it starts, with this budget. */
export const withBudget = <T>(budget: Budget, work: () => T): T => storage.run(budget, work);

/** The same for a second dump of one command: what the first one held must not end its reading. */
export const withBudgetAgain = <T>(work: () => T): T => withBudget(currentBudget().again(), work);

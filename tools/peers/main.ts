/**
 * What crash and drgn say of the dumps of running kernels in a folder, beside this program: `npm run peers -- <folder> [--vmlinux <file>]`.
 * Needs Debian's crash and python3-drgn. Writes tools/peers/results.json, of which `npm run docs` makes docs/peers.md.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { parseArgs } from 'node:util';
import { loadDump } from '../../src/cli/load-dump.js';
import type { Kernel } from '../../src/kernel/kernel.js';
import { isMapping, type Peers, type PeerRow, RESULTS } from './results.js';

/** Dumps of running kernels, below the folder; those that are not there are left out. */
const DUMPS = [
  ...['s1-preserved', 's2-boot', 's2-opened', 's2-partly', 's2-finished'].map((moment) => `objects-7.3/${moment}.elf.xz`),
  ...['objects-7.3-seals/s2-partly.elf.xz', 'objects-7.3-open-fails/s2-opened.elf.xz', 'next-kernel/s2-partly.elf.xz'],
  ...['handover-7.3/s1-frozen.full.elf.zst', 'handover-7.3/s2-boot.full.elf.zst', 'handover-7.3-arm64/s2-retrieved.elf.xz'],
];
/** The system's own: python3-drgn is a module of that one. */
const PYTHON = '/usr/bin/python3';

const { values, positionals } = parseArgs({ allowPositionals: true, options: { vmlinux: { type: 'string' } } });
const [folder] = positionals;
if (folder === undefined) throw new Error('peers: no folder; npm run peers -- <folder of dumps> [--vmlinux <file>]');
const work = mkdtempSync(join(tmpdir(), 'luo-inspect-peers-'));

function run(command: string, args: readonly string[]): { readonly text: string; readonly errors: string } {
  const { stdout, stderr } = spawnSync(command, args, { encoding: 'utf8', input: 'quit\n', timeout: 120_000, maxBuffer: 1 << 28 });
  return { text: stdout ?? '', errors: stderr ?? '' };
}

/** The last thing crash says before it gives up. */
function crash(args: readonly string[]): string {
  const { text, errors } = run('crash', ['-s', ...args]);
  const lines = `${text}\n${errors}`.split('\n').map((line) => line.trim());
  const usage = lines.some((line) => line.startsWith('crash [OPTION]'));
  return usage
    ? 'usage: it wants a NAMELIST'
    : (lines.findLast((line) => line.startsWith('crash:')) ?? lines.findLast((line) => line !== '') ?? 'nothing').replaceAll(`${work}/`, '');
}

function drgn(core: string, plan: string | null): Record<string, unknown> {
  const { text, errors } = run(PYTHON, ['tools/peers/walk.py', core, ...(plan === null ? [] : [plan])]);
  try {
    const value: unknown = JSON.parse(text);
    return isMapping(value) ? value : {};
  } catch {
    return { failed: errors.trim().split('\n').at(-1) ?? '' };
  }
}

const said = (value: unknown): string => (isMapping(value) ? String(value.said) : typeof value === 'string' ? value : 'nothing');

/** What drgn has to be told: where the sessions' variable is, and members' offsets. Null where this program can't tell either. */
function planOf(kernel: Kernel | null): Record<string, unknown> | null {
  if (kernel?.typesOrNull == null || kernel.symbols.find('luo_session_global').length === 0) return null;
  const base = 0x1000n;
  const offset = (type: string, member: string): number => Number(kernel.object(type, base).get(member).address - base);
  return {
    global: kernel.address('luo_session_global').toString(),
    incoming: offset('struct luo_session_global', 'incoming'),
    outgoing: offset('struct luo_session_global', 'outgoing'),
    list: offset('struct luo_session_header', 'list'),
    sessionLink: offset('struct luo_session', 'list'),
    files: offset('struct luo_session', 'file_set.files_list'),
  };
}

const rows: PeerRow[] = [];
for (const name of DUMPS) {
  const path = join(folder, name);
  if (!existsSync(path)) continue;
  const core = join(work, basename(name).replace(/\.(xz|zst)$/, ''));
  spawnSync(name.endsWith('.zst') ? 'zstd' : 'xz', ['-dc', path], { stdio: ['ignore', openSync(core, 'w'), 'inherit'] });
  const map = join(folder, name.split('/')[0] ?? '', 'System.map.xz');
  const given = name.startsWith('handover-7.3/') && existsSync(map) ? { symbols: map } : {};
  const start = performance.now();
  const { opened, report, objects } = await loadDump(core, { log: false, ...given });
  const milliseconds = performance.now() - start;
  opened.close();
  const sessions = report.handovers.flatMap(({ luo }) => luo?.sessions ?? []);
  const phases = new Map<string, number>();
  for (const { life } of sessions.flatMap(({ files }) => files)) phases.set(life?.phase ?? 'serialised', (phases.get(life?.phase ?? 'serialised') ?? 0) + 1);
  const plan = planOf(objects.kernel);
  const planFile = join(work, 'plan.json');
  if (plan !== null) writeFileSync(planFile, JSON.stringify(plan));
  const alone = drgn(core, null);
  const aided = plan === null ? null : drgn(core, planFile);
  rows.push({
    dump: name,
    given: 'symbols' in given ? '--symbols System.map' : null,
    ours: `${sessions.length} sessions, ${[...phases].map(([phase, count]) => `${count} files ${phase}`).join(', ') || 'no file'}${objects.missing.length === 0 ? '' : `; lacks: ${objects.missing.join('; ')}`}`,
    verdict: report.verdict.kind,
    milliseconds: Math.round(milliseconds),
    crash: crash([core]),
    crashVmlinux: values.vmlinux === undefined ? null : crash([values.vmlinux, core]).replace(values.vmlinux, basename(values.vmlinux)),
    drgnSymbol: said(alone.symbol ?? alone.failed),
    drgnType: said(alone.type ?? alone.failed),
    drgnRead: aided === null ? null : said(aided.unaided ?? aided.failed),
    drgnWalk: aided === null || !isMapping(aided.walk) ? null : aided.walk.ok === true ? `${aided.sessions} sessions, ${aided.files} files` : said(aided.walk),
    drgnMilliseconds: aided === null || typeof aided.seconds !== 'number' ? null : Math.round(aided.seconds * 1000),
  });
  rmSync(core);
  process.stdout.write(`${name}: ${rows.at(-1)?.ours}\n`);
}
const peers: Peers = {
  crash:
    run('crash', ['--version'])
      .text.split('\n')
      .find((line) => line.startsWith('crash ')) ?? '',
  drgn: run(PYTHON, ['-c', 'import drgn; print(drgn.__version__)']).text.trim(),
  rows,
};
writeFileSync(RESULTS, `${JSON.stringify(peers, null, 1)}\n`);
rmSync(work, { recursive: true, force: true });

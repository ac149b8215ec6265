/**
 * Whatever a report leaves open has a finding that says why: this rule looks at what the others said, and adds the parts that
 * none of them spoke of. It judges nothing.
 */
import type { Handover } from '../../handover/decode.js';
import type { LuoFile, LuoFlb } from '../../handover/luo.js';
import type { TreeNode } from '../../tree/tree.js';
import type { DumpRule, Hit, LastRule } from '../rule.js';
import { cutShort } from '../subject.js';
import { reachedText } from '../../codec/budget.js';

interface Part {
  readonly path: string;
  readonly at: number | null;
  readonly message: string;
}

export const notDecoded: LastRule = {
  id: 'report/not-decoded',
  severity: 'info',
  phase: 'early boot',
  title: 'a part could not be decoded',
  about:
    'The part is left open rather than guessed: its page is not in the dump, it holds something else by now, it hangs below something damaged, or nothing known describes it. Other findings at the same place, or above it, say more.',
  reaction: null,
  confirm: 'Look at the address in hex, or take a dump that has the page.',
  sources: ['follows from the decoded dump'],
  *checkLast(subject, findings) {
    const { handover, limits } = subject;
    const spoken = new Set(findings.flatMap(({ path }) => (path === null ? [] : prefixes(path))));
    const observed = byPath(handover.observations);
    let left = limits.items;
    for (const part of openParts(handover)) {
      if (spoken.has(part.path)) continue;
      if (left-- <= 0) return cutShort(subject, `${handover.path}, parts that could not be decoded`);
      yield toHit(observed, part);
    }
  },
};

/** `a/b/c`: a, a/b, a/b/c. */
function prefixes(path: string): readonly string[] {
  const parts = path.split('/');
  return parts.map((_, index) => parts.slice(0, index + 1).join('/'));
}

/** The first observation at or below each path. */
function byPath(observations: Handover['observations']): ReadonlyMap<string, Handover['observations'][number]> {
  const found = new Map<string, Handover['observations'][number]>();
  for (const observation of observations) for (const path of prefixes(observation.node.path)) if (!found.has(path)) found.set(path, observation);
  return found;
}

/** With the decoder's own words where it had some. */
function toHit(observations: ReturnType<typeof byPath>, { path, at, message }: Part): Hit {
  const observed = observations.get(path);
  return observed === undefined ? { message, at, path } : { message: observed.text, at: observed.at, path };
}

function* openParts(handover: Handover): Iterable<Part> {
  const { path, candidate, hasLuo, luo } = handover;
  const part = (name: string, message: string): Part => ({ path: `${path}/${name}`, at: candidate.fdtAddress, message });
  if (handover.compatible === null) yield part('kho', 'the version of the handover could not be read');
  if (handover.scratch.areas === null) yield part('kho/scratch', `the scratch areas are not known: ${handover.scratch.why}`);
  if (handover.map === null) yield part('kho/preserved', 'the preserved memory map could not be read');
  for (const { address, size, node, format } of handover.subtrees) {
    const named = `subtree ${JSON.stringify(node.name)}`;
    if (address === null) yield { path: node.path, at: null, message: `the address of ${named} is not known` };
    else if (size === null)
      yield { path: node.path, at: address, message: `the size of ${named} is not recorded${format === 'fdt' ? '; it is an FDT, which knows its own' : ''}` };
  }
  const has = (name: string): boolean => handover.subtrees.some((subtree) => subtree.name === name);
  if (handover.memblock === null && has('memblock')) yield part('memblock', 'the reserve_mem regions could not be read');
  if (handover.kexecMetadata === null && has('kexec-metadata')) yield part('kexec-metadata', 'the kexec metadata could not be read');
  if (luo === null) {
    if (hasLuo) yield part('luo', 'the root of LUO could not be read');
    return;
  }
  if (luo.liveupdateNumber === null) yield part('luo', 'the live update number could not be read');
  if (luo.sessions === null) yield part('luo/sessions', 'the sessions could not be read');
  if (luo.flbs === null) yield part('luo/flbs', 'the FLBs could not be read');
  for (const session of luo.sessions ?? []) {
    if (session.unreadable) yield { path: `${session.path}/files`, at: session.node.address, message: 'the files of this session could not be read' };
    for (const file of session.files) yield* openPayload(file, file.compatible.text);
  }
  for (const flb of luo.flbs ?? []) yield* openPayload(flb, flb.name.text);
}

function* openPayload(entry: LuoFile | LuoFlb, compatible: string): Iterable<Part> {
  const { decoded, path } = entry;
  const at = entry.reading.field('data').address;
  if (decoded === null) yield { path, at, message: `data of ${JSON.stringify(compatible)} is not decoded: ${reasonOf(entry.reading.field('data'))}` };
  else if (decoded.kind === 'memfd' && decoded.area === null && decoded.folioCount !== 0n)
    yield { path, at: decoded.node.address, message: `the folio table of ${JSON.stringify(compatible)} could not be read` };
}

const reasonOf = (data: TreeNode): string => data.why ?? 'what its value means is not known';

export const limitRule: DumpRule = {
  id: 'limit/reached',
  severity: 'error',
  phase: 'preserve',
  afterAll: true,
  title: 'a limit ended a part of the work',
  about:
    'What a dump says is read within limits of time and memory, so that a damaged or hostile one does not keep the reader busy for hours. Where one ended something, the other findings speak of what was read up to there: the rest may hold anything.',
  reaction: 'limit/reached',
  confirm: 'Raise the limit with --limit, as the finding says, and look again.',
  sources: ['docs/limits.md'],
  *checkDump({ budget }) {
    for (const reached of budget.reached) yield { message: reachedText(reached), at: null, path: null };
  },
};

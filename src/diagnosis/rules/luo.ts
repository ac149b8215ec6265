/** Rules about the root of LUO: its version, its numbers, its pointers. Sources: kernel/liveupdate/luo_core.c, 6.19 to 7.3. */
import { type Contract, behaviourIsKnown } from '../../../abi/contract.js';
import { fdtHeader } from '../../../abi/fdt/header.js';
import { sizeOf } from '../../codec/layout-table.js';
import type { TreeNode } from '../../tree/tree.js';
import { type DumpRule, type HandoverRule, type Rule, hit, noted, wrong } from '../rule.js';
import { type Subject, isIntact } from '../subject.js';

const EARLY = 'liveupdate_early_init(), kernel/liveupdate/luo_core.c, 6.19 to 7.3';

const luoContract = (subject: Subject, compatible: string): Contract | null =>
  subject.dump.contracts.named(compatible).find((contract) => contract.layer === 'luo') ?? null;

/** The node of a field of luo_ser, or of the property that held it up to 7.1. */
function rootField(subject: Subject, field: string, property: string): TreeNode | null {
  const node = subject.handover.luo?.node;
  if (node === undefined) return null;
  for (const child of node.children()) {
    const found = child.children().find((candidate) => candidate.name === field || candidate.name === property);
    if (found !== undefined) return found;
  }
  return node;
}

const handoverRules: readonly HandoverRule[] = [
  {
    id: 'luo/version-unknown',
    severity: 'error',
    phase: 'early boot',
    title: 'version of LUO’s data is of no known release',
    about:
      'Unlike KHO, which forgets a handover it does not understand, LUO panics: sessions may hold what must not be lost silently. Up to 7.1 the nodes for sessions and FLBs have versions of their own.',
    reaction: 'luo/version-unknown',
    confirm: 'Look for "is incompatible with" in the log of the next kernel; compare with `abi list`.',
    sources: [EARLY, 'seen with 7.3.4: luo-v6 written over luo-v5 at the jump'],
    *check(subject) {
      // Where the header of the FDT is damaged, its strings are read at the wrong place.
      const start = subject.handover.luo?.node.address ?? null;
      const header = subject.handover.observations.filter(
        ({ kind, at }) => kind === 'luo-fdt' && at !== null && start !== null && at < start + sizeOf(fdtHeader),
      );
      const after = header.flatMap(({ at }) => (at === null ? [] : [{ at, rule: 'luo/fdt' }]));
      for (const found of wrong(subject, 'luo-unknown-version')) yield { ...found, after };
    },
  },
  {
    id: 'luo/version-unreleased',
    severity: 'warning',
    phase: 'early boot',
    title: 'version of LUO’s data is of a merge window, not of a release',
    about: 'luo-v2, -v3 and -v4 lived for one day of a patch series. Only a kernel built from it reads them.',
    reaction: 'luo/version-unreleased',
    confirm: 'Compare the release in kexec metadata, and `abi list`.',
    sources: ['git history of include/linux/kho/abi/luo.h, 3 June 2026'],
    *check(subject) {
      const { luo } = subject.handover;
      const contract = luo === null ? null : luoContract(subject, luo.compatible);
      if (luo !== null && contract !== null && contract.status !== 'released' && contract.status !== 'own') {
        const node = rootField(subject, 'compatible', 'compatible') ?? luo.node;
        yield { ...hit(node, `compatible is ${luo.compatible}, which no release ever spoke`), after: [{ path: node.path, rule: 'luo/version-unknown' }] };
      }
    },
  },
  {
    id: 'luo/foreign-version',
    severity: 'error',
    phase: 'early boot',
    title: 'version of LUO’s data is not paired with this version of KHO by any release',
    about:
      'A release speaks one version of each: luo-v1 goes with kho-v1 and kho-v3, luo-v5 with kho-v4. A kernel that takes this handover expects another version of LUO.',
    reaction: 'luo/foreign-version',
    confirm: 'Compare both strings with `abi list`.',
    sources: [EARLY],
    *check(subject) {
      const { luo, contract } = subject.handover;
      const own = luo === null ? null : luoContract(subject, luo.compatible);
      if (luo === null || own === null || contract === null || contract.compatible !== subject.handover.compatible) return;
      if (own.status !== 'released' || contract.status !== 'released') return;
      if (own.releases.some((release) => contract.releases.includes(release))) return;
      yield hit(rootField(subject, 'compatible', 'compatible') ?? luo.node, `${luo.compatible} below ${contract.compatible}: no release speaks both`);
      const root = subject.handover.node
        .children()
        .find((child) => child.name === 'kho')
        ?.children()
        .find((child) => child.name === '/');
      const kho = root?.children().find((child) => child.name === 'compatible');
      if (kho !== undefined) yield hit(kho, `${contract.compatible} above ${luo.compatible}: no release speaks both`);
    },
  },
  {
    id: 'luo/blob-too-small',
    severity: 'error',
    phase: 'early boot',
    title: 'LUO’s blob is smaller than its structure',
    about: 'blob-size of the LUO subtree is at least the size of struct luo_ser.',
    reaction: 'luo/blob-too-small',
    confirm: 'Look for "LUO state is too small" in the log of the next kernel.',
    sources: [EARLY],
    check: (subject) => wrong(subject, 'luo-too-small'),
  },
  {
    id: 'luo/fdt',
    severity: 'error',
    phase: 'early boot',
    title: 'LUO’s FDT is damaged',
    about:
      'Up to 7.1 the LUO subtree is an FDT with the nodes luo-session and, from 7.0 on, luo-flb. A missing node or property is not tolerated: data of 6.19, which has no luo-flb, panics 7.0.',
    reaction: 'luo/fdt',
    confirm: 'decode --as fdt_header at the subtree’s address.',
    sources: [EARLY],
    check: (subject) => wrong(subject, 'luo-fdt'),
  },
  {
    id: 'luo/number',
    severity: 'warning',
    phase: 'early boot',
    title: 'live update number is impossible',
    about:
      'The writer stores the number it was handed, plus one: 1 after a cold boot. The kexec count of kexec metadata follows the same rule and also counts kernels without LUO, so it is never the smaller one.',
    reaction: 'luo/number',
    confirm: 'Compare with the "liveupdate number" lines of the log.',
    sources: ['luo_fdt_setup() and luo_ser setup, kernel/liveupdate/luo_core.c, 6.19 to 7.3'],
    *check(subject) {
      const { luo, kexecMetadata } = subject.handover;
      if (luo === null || !isIntact(subject)) return;
      const node = rootField(subject, 'liveupdate_num', 'liveupdate-number') ?? luo.node;
      const number = luo.liveupdateNumber;
      if (number === null) return;
      if (number === 0n) yield hit(node, 'the live update number is 0; the first is 1');
      else if (kexecMetadata !== null && number > BigInt(kexecMetadata.kexecCount))
        yield hit(node, `the live update number is ${number}, but only ${kexecMetadata.kexecCount} kexecs were counted`);
      else if (number > MAX_PLAUSIBLE_UPDATES) yield hit(node, `the live update number is ${number}`);
    },
  },
  {
    id: 'luo/not-serialised',
    severity: 'info',
    phase: 'freeze',
    title: 'no session is serialised',
    about:
      'Sessions are written into the handover by reboot(LINUX_REBOOT_CMD_KEXEC), just before the jump. Before that, after a freeze that was refused, and where there are none, the pointer (up to 7.1 the count) is 0. In a dump of a running kernel, sessions live in its own objects (luo_session_global).',
    reaction: null,
    confirm: 'Take the dump at the jump (machine_kexec) to see sessions.',
    sources: ['luo_session_serialize(), kernel/liveupdate/luo_session.c, 7.3', 'seen with 7.3.4 and 7.1.13'],
    *check(subject) {
      for (const found of noted(subject, 'luo-not-serialised')) {
        yield subject.moment === 'early' ? { ...found, message: 'no session came over: there were none, or the old kernel did not serialise them' } : found;
      }
    },
  },
  {
    id: 'luo/flbs-none',
    silent: true,
    severity: 'warning',
    phase: 'retrieve',
    title: 'pointer to the FLB page is 0',
    about: 'The page of file-lifecycle-bound objects is made when the kernel boots, whether or not there are any, and its address is never 0.',
    reaction: 'luo/flbs-none',
    confirm: 'Look at flbs_pa in hex.',
    sources: ['luo_flb_setup_incoming(), kernel/liveupdate/luo_flb.c, 7.2 and 7.3'],
    *check(subject) {
      const { luo } = subject.handover;
      if (luo === null || !behaviourIsKnown(luo.contract) || !isIntact(subject)) return;
      const node = fieldOrProperty(luo.node, 'flbs_pa', 'luo-flb-header');
      if (node !== null && isZero(node)) yield hit(node, `${node.name} is 0; the kernel sets it when it boots`);
    },
  },
];

/** A field of luo_ser, or the property of the same meaning of LUO's FDT, however deep. */
function fieldOrProperty(parent: TreeNode, field: string, property: string): TreeNode | null {
  for (const child of parent.children()) {
    if (child.name === field || child.name === property) return child;
    const below = child.type === 'fdt node' || child.name === 'luo_ser' || child.name === '/' ? fieldOrProperty(child, field, property) : null;
    if (below !== null) return below;
  }
  return null;
}

const isZero = ({ value }: TreeNode): boolean => value === 0n || value === 0;

/** More live updates than anybody made. */
const MAX_PLAUSIBLE_UPDATES = 1_000_000n;

const pairRule: DumpRule = {
  id: 'luo/number-sequence',
  severity: 'warning',
  phase: 'early boot',
  title: 'the live update numbers of the incoming and the outgoing handover do not follow each other',
  about:
    'A kernel that took a handover over gives the next one the number after it. Another number means that the two are not of the same kernel, or that one is damaged.',
  reaction: 'luo/number-sequence',
  confirm: 'Compare with the "liveupdate number" line of the log.',
  sources: ['kernel/liveupdate/luo_core.c, 6.19 to 7.3'],
  *checkDump({ dump }) {
    const incoming = dump.handovers.find((handover) => handover.role === 'incoming' && handover.luo !== null);
    const outgoing = dump.handovers.find((handover) => handover.role === 'outgoing' && handover.luo !== null);
    const [before, after] = [incoming?.luo?.liveupdateNumber, outgoing?.luo?.liveupdateNumber];
    if (typeof before !== 'bigint' || typeof after !== 'bigint' || after === before + 1n) return;
    yield {
      message: `the incoming handover has number ${before}, the outgoing ${after}`,
      at: outgoing?.luo?.node.address ?? null,
      path: `${outgoing?.path ?? ''}/luo`,
    };
  },
};

export const luoRules: readonly Rule[] = [...handoverRules, pairRule];

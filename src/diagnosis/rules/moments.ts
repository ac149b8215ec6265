/**
 * Rules about when a dump was taken: a handover whose pages the running kernel has freed and reused is one fact, not many
 * damages, and a page that a dump leaves out is not damage at all.
 */
import type { TreeNode } from '../../tree/tree.js';
import type { Observation } from '../../handover/observe.js';
import { type HandoverRule, hit, isStillTrue } from '../rule.js';
import { type Subject, isIntact, isOfChunks } from '../subject.js';

const LIFE = 'kernel/liveupdate, 7.1 to 7.3, and captures of a 7.3.4 at each moment';

/** So many are named one by one. */
const NAMED = 6;

function of(subject: Subject, natures: readonly Observation['nature'][]): readonly Observation[] {
  return subject.handover.observations.filter((observation) => natures.includes(observation.nature));
}

/** Where to show it: LUO's root, or the pointer to the map if that alone holds something else. */
function anchorOf(subject: Subject, first: Observation): TreeNode {
  if (first.kind !== 'map-reused') return first.node;
  const root = subject.handover.node
    .children()
    .find((child) => child.name === 'kho')
    ?.children()
    .find((child) => child.name === '/');
  return root?.children().find((child) => child.name === 'preserved-memory-map') ?? first.node;
}

/** LUO's root first: it decides whether sessions can be shown at all. */
function foremost(observations: readonly Observation[]): Observation | undefined {
  return (
    observations.find((observation) => observation.kind.startsWith('luo')) ??
    observations.find((observation) => observation.node.name === 'LUO' || observation.node.path.includes('/LUO')) ??
    observations[0]
  );
}

function summary(observations: readonly Observation[]): string {
  const texts = [...new Set(observations.map((observation) => observation.text))];
  const named = texts.slice(0, NAMED).join('; ');
  return texts.length > NAMED ? `${named}; and ${texts.length - NAMED} more` : named;
}

const scratchKinds = new Set(['scratch-missing', 'scratch-empty', 'scratch-implausible']);

export const momentRules: readonly HandoverRule[] = [
  {
    id: 'moment/refused',
    severity: 'warning',
    phase: 'early boot',
    title: 'the running kernel did not take this handover over',
    about:
      'The next kernel has booted, has written a handover of its own, and left this one alone: it did not understand its version, or found it damaged. Everything it preserved is free memory now, and is overwritten bit by bit. A kernel that is done with a handover leaves the same picture.',
    reaction: 'moment/refused',
    confirm: 'Look for "disabling KHO revival" in its log.',
    sources: ['kho_populate(), kernel/liveupdate/kexec_handover.c, 7.3', 'seen with 7.1.13 to 7.3.4, and with a changed compatible string'],
    *check(subject) {
      // One that no node names any more was not refused: it is left over from an earlier jump.
      if (subject.moment !== 'stale' || subject.handover.candidate.namedBy.length === 0 || subject.handover.scratch.state === 'filled') return;
      const { compatible, candidate, roleEvidence, path } = subject.handover;
      yield { message: `this handover (${compatible ?? 'no version'}) is not the running kernel's: ${roleEvidence}`, at: candidate.fdtAddress, path };
    },
  },
  {
    id: 'moment/not-taken-up',
    severity: 'warning',
    phase: 'early boot',
    title: 'the running kernel has booted, but wrote no handover of its own',
    about:
      'A kernel with KHO switched on makes an FDT for its successor as it boots. One that was given a handover and has none to give was started with kho=off (or is a kdump kernel): it reserved what was preserved, and LUO is off.',
    reaction: 'moment/not-taken-up',
    confirm: 'Look for "luo: Disabling liveupdate because KHO is disabled" in its log, and kho= on its command line.',
    sources: ['luo_early_startup(), kernel/liveupdate/luo_core.c, 7.3', 'seen with 7.3.4 and kho=off'],
    *check(subject) {
      const { handover, dump } = subject;
      if (subject.moment !== 'booted' || isOfChunks(subject.dialect) || dump.handovers.some((other) => other.role === 'outgoing') || !handover.hasLuo) return;
      yield {
        message: 'the handover was taken, but the running kernel has none of its own: it runs with KHO switched off, or had not come that far',
        at: handover.candidate.fdtAddress,
        path: handover.path,
      };
    },
  },
  {
    id: 'moment/liveupdate-off',
    severity: 'warning',
    phase: 'deserialise',
    title: 'the running kernel took a handover with sessions, but does no live updates itself',
    about:
      'A kernel with LUO switched on registers a LUO subtree for its successor. One that has an outgoing handover without it was started without liveupdate=on: what came over cannot be retrieved.',
    reaction: 'moment/liveupdate-off',
    confirm: 'Look for liveupdate= on its command line.',
    sources: ['liveupdate_early_init() and luo_late_startup(), kernel/liveupdate/luo_core.c, 7.3', 'seen with 7.3.4 and liveupdate unset'],
    *check(subject) {
      const outgoing = subject.dump.handovers.find((other) => other.role === 'outgoing');
      const { candidate, hasLuo, path } = subject.handover;
      if (
        subject.moment !== 'booted' ||
        !hasLuo ||
        outgoing === undefined ||
        outgoing.hasLuo ||
        outgoing.candidate.fdt === null ||
        outgoing.candidate.cutInCopy
      )
        return;
      yield {
        message: 'LUO data came over, but the running kernel has no LUO subtree of its own: live updates are switched off',
        at: candidate.fdtAddress,
        path,
      };
    },
  },
  {
    id: 'moment/pages-reused',
    severity: 'info',
    phase: 'finish',
    title: 'the running kernel has freed this handover’s pages, and reused some',
    about:
      'Once the next kernel has booted, it frees what it has read: the map early in boot, LUO’s root next, session blocks when the device is first opened, a file’s description when it is retrieved. The same addresses then hold other things. What is still true lives in the kernel’s own objects (luo_session_global and the lists below it).',
    reaction: null,
    confirm: 'Take a dump before the next kernel looks at the map (at kho_memory_init) to see the handover whole.',
    sources: [LIFE],
    *check(subject) {
      const found = of(subject, isIntact(subject) ? ['reused'] : ['reused', 'absent', 'wrong']).filter(
        (observation) => !scratchKinds.has(observation.kind) && (observation.nature !== 'wrong' || !isStillTrue(subject, observation)),
      );
      const first = foremost(found);
      const { candidate, path } = subject.handover;
      const when = subject.moment === 'booted' ? 'taken after the next kernel had booted: ' : '';
      if (first !== undefined)
        yield hit(
          anchorOf(subject, first),
          `${when}${found.length} ${found.length === 1 ? 'structure' : 'structures'} cannot be read any more: ${summary([first, ...found])}`,
          first.kind === 'map-reused' ? anchorOf(subject, first).address : first.at,
        );
      else if (subject.moment === 'booted')
        yield { message: 'taken after the next kernel had booted: what it has freed may be overwritten at any time', at: candidate.fdtAddress, path };
    },
  },
  {
    id: 'dump/page-absent',
    severity: 'info',
    phase: 'jump',
    title: 'a structure is not in this dump',
    about:
      'The dump holds selected pages only (a sparse copy, a makedumpfile level, a copy of debugfs). What is on the others cannot be shown or judged; nothing is wrong with it.',
    reaction: null,
    confirm: 'Take a dump with all pages (makedumpfile -d 0 or 1; dump-guest-memory of QEMU).',
    sources: ['the dump itself'],
    *check(subject) {
      if (!isIntact(subject)) return;
      for (const observation of of(subject, ['absent'])) if (!scratchKinds.has(observation.kind)) yield hit(observation.node, observation.text, observation.at);
    },
  },
];

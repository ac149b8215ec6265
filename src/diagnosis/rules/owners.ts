/** Rules about what user space recorded of its own files: systemd's mapping of descriptors to units, a VMM's state. Sources: abi-level notes in src/handover/owners. */
import type { OwnerProblemKind } from '../../handover/owners/owner.js';
import type { HandoverRule, Hit } from '../rule.js';
import { type Subject, isIntact } from '../subject.js';

const SYSTEMD = 'src/core/luo.c and src/shared/luo-util.c, systemd v261';

function* problems(subject: Subject, kind: OwnerProblemKind): Iterable<Hit> {
  if (!isIntact(subject)) return;
  for (const problem of subject.handover.owners.problems) if (problem.kind === kind) yield { message: problem.message, at: problem.at, path: problem.path };
}

export const ownerRules: readonly HandoverRule[] = [
  {
    id: 'owner/mapping',
    severity: 'warning',
    phase: 'retrieve',
    title: 'systemd cannot make out its mapping of descriptors to units',
    about:
      'Token 0 of session "systemd" is a memfd with JSON: an object with version 1 and, for each unit, its fd store. Without it systemd does not know which descriptor is whose.',
    reaction: 'owner/mapping',
    confirm: 'luo-inspect extract <dump> systemd 0 -o mapping.json',
    sources: [SYSTEMD],
    check: (subject) => problems(subject, 'mapping-invalid'),
  },
  {
    id: 'owner/token-without-file',
    severity: 'warning',
    phase: 'retrieve',
    title: 'a unit maps a descriptor to a token that was not preserved',
    about: 'systemd writes an entry only for a descriptor it has preserved, so the file was lost after it, or the mapping was changed.',
    reaction: 'owner/token-without-file',
    confirm: 'Compare token 0 of session "systemd" with the files of the session in the report.',
    sources: [SYSTEMD],
    check: (subject) => problems(subject, 'token-without-file'),
  },
  {
    id: 'owner/file-without-mapping',
    severity: 'warning',
    phase: 'finish',
    title: 'a file in systemd’s session belongs to no unit',
    about: 'systemd retrieves what its mapping names, and nothing else.',
    reaction: 'owner/file-without-mapping',
    confirm: 'Compare token 0 of session "systemd" with the files of the session in the report.',
    sources: [SYSTEMD],
    check: (subject) => problems(subject, 'file-without-mapping'),
  },
  {
    id: 'owner/session-missing',
    severity: 'warning',
    phase: 'retrieve',
    title: 'a unit keeps a session in its fd store that was not handed over',
    about: 'Sessions are not nested: systemd writes down the name, and asks the next kernel for the session of that name.',
    reaction: 'owner/session-missing',
    confirm: 'Compare token 0 of session "systemd" with the sessions in the report.',
    sources: [SYSTEMD],
    check: (subject) => problems(subject, 'session-missing'),
  },
  {
    id: 'owner/vm-incomplete',
    severity: 'warning',
    phase: 'retrieve',
    title: 'a virtual machine’s own state names files that its session does not have',
    about: 'nanovmm writes its state last, after VM, memory, physical CPUs and vCPUs: what it counts there was preserved before.',
    reaction: 'owner/vm-incomplete',
    confirm: 'Extract token 0x2000 of the session and decode it as nvmm_state.',
    sources: ['nvmm.c, github.com/soleen/nanovmm at ac120c4a'],
    check: (subject) => problems(subject, 'vm-incomplete'),
  },
  {
    id: 'owner/mapping-unread',
    severity: 'info',
    phase: 'retrieve',
    title: 'systemd’s mapping of descriptors to units is not in this dump',
    about: 'The memfd’s structure is here, its contents are not: units cannot be named, and nothing was checked against them.',
    reaction: null,
    confirm: 'Take a dump with the page.',
    sources: [SYSTEMD],
    check: (subject) => problems(subject, 'mapping-unread'),
  },
  {
    id: 'owner/format-0',
    severity: 'info',
    phase: 'retrieve',
    title: 'systemd’s mapping has the format from before its release',
    about: 'Format 0 maps units to lists of entries, without a version; v261 writes version 1.',
    reaction: null,
    confirm: 'luo-inspect extract <dump> systemd 0 -o mapping.json',
    sources: [SYSTEMD],
    check: (subject) => problems(subject, 'format-0'),
  },
];

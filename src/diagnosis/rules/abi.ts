/** Rules about versions: what no contract describes, and where a kernel contradicts its contract. They follow from the kernel's own BTF. */
import { type HandoverRule, noted } from '../rule.js';

export const abiRules: readonly HandoverRule[] = [
  {
    id: 'abi/unknown-version',
    severity: 'warning',
    phase: 'early boot',
    title: 'version that no contract describes, read by its kernel’s own types',
    about:
      'The kernel that wrote this calls a structure by a version nobody has described. Its BTF says where the fields are; how lists and tables are built is taken from the newest version of the same family that is described. Fields that are new are shown, fields that are gone are named.',
    reaction: 'abi/unknown-version',
    confirm: 'Describe the version in a file of your own (`--contract`), or take a newer luo-inspect.',
    sources: ['follows from the dump and the BTF'],
    check: (subject) => noted(subject, 'layout-unknown'),
  },
  {
    id: 'compat/layout-changed',
    severity: 'warning',
    phase: 'early boot',
    title: 'kernel lays out a known version otherwise than its contract',
    about:
      'The string is one that is described, and the BTF of the kernel that wrote it has another layout under it: a patch changed the structure and kept the string. Another kernel with the same string reads it wrongly and cannot notice. The report follows the BTF.',
    reaction: 'compat/layout-changed',
    confirm: '`abi diff <release> <the BTF>` lists the fields side by side.',
    sources: ['follows from the dump and the BTF'],
    check: (subject) => noted(subject, 'layout-changed'),
  },
  {
    id: 'abi/not-decoded',
    severity: 'warning',
    phase: 'early boot',
    title: 'version whose structures are not known well enough to follow',
    about:
      'Neither a contract nor the BTF of the kernel that wrote it says where a field is without which the rest cannot be found. What follows is left open rather than read as the nearest version that is known.',
    reaction: null,
    confirm: 'Give the BTF of the kernel that wrote the dump: `--btf <file>`.',
    sources: ['follows from the dump'],
    check: (subject) => noted(subject, 'layout-incomplete'),
  },
];

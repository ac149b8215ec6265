/** Rules about file-lifecycle-bound objects. Sources: kernel/liveupdate/luo_flb.c, 7.1 to 7.3; lib/tests/liveupdate.c for the test objects. */
import { isOfUnknownKernel } from '../../handover/contracts.js';
import type { Layer } from '../../../abi/contract.js';
import { testFlbData } from '../../../abi/liveupdate-test-flb/v0-to-v2.js';
import { emptyEntry, hiddenEntry, placeOf } from '../../handover/entries.js';
import type { LuoFlb } from '../../handover/luo.js';
import { hex } from '../../tree/words.js';
import { type HandoverRule, type Hit, hit, noted, wrong } from '../rule.js';
import { type Subject, isIntact, isWithin } from '../subject.js';
import { filesOf } from './sessions.js';

const RETRIEVE = 'luo_flb_retrieve_one(), kernel/liveupdate/luo_flb.c, 7.1 to 7.3';

/** Which files keep an object alive. */
function dependants(subject: Subject, flb: LuoFlb): number | null {
  if (!isWithin(subject, ['entries'])) return null;
  const layer = flbLayer(subject, flb);
  const files = filesOf(subject);
  if (layer === 'liveupdate-test-flb') return files.length;
  if (layer === 'pci')
    return files.filter(({ file }) => subject.dump.contracts.named(file.compatible.text).some((contract) => contract.layer === 'vfio-pci')).length;
  return null;
}

const flbLayer = (subject: Subject, flb: LuoFlb): Layer | null => subject.dump.contracts.named(flb.name.text)[0]?.layer ?? null;

const flbsOf = (subject: Subject): readonly LuoFlb[] => (isIntact(subject) ? (subject.handover.luo?.flbs ?? []) : []);

export const flbRules: readonly HandoverRule[] = [
  {
    id: 'flb/page',
    severity: 'error',
    phase: 'retrieve',
    title: 'FLB page is not where LUO says',
    about: 'From 7.0 on one page lists the objects that live as long as a file that needs them; its address is in LUO’s root.',
    reaction: 'flb/page',
    confirm: 'Compare the pointer with the memory of the dump.',
    sources: [RETRIEVE],
    check: (subject) => wrong(subject, 'flb-missing'),
  },
  {
    id: 'flb/header',
    severity: 'info',
    phase: 'retrieve',
    title: 'FLB header is not what a kernel writes',
    about: 'pgcnt is 1 in every release, and a page of 4 KiB holds 63 objects. Nothing reads pgcnt, and a search for an object ends where it is found.',
    reaction: 'flb/header',
    confirm: 'Show the header in hex.',
    sources: [RETRIEVE],
    check: (subject) => wrong(subject, 'flb-count'),
  },
  {
    id: 'flb/header-count',
    severity: 'warning',
    phase: 'retrieve',
    title: 'count of the FLB page is not the number of its FLBs',
    about: 'The page is zeroed when it is allocated: an entry after the last counted one, or a counted one that is all zeros, means that the count is wrong.',
    reaction: 'flb/header-count',
    confirm: 'Show the page in hex after its last entry.',
    sources: [RETRIEVE],
    check: checkHeaderCount,
  },
  {
    id: 'flb/name',
    severity: 'error',
    phase: 'retrieve',
    title: 'FLB name is empty or has no NUL',
    about: 'The name is how its owner in the next kernel finds it.',
    reaction: 'flb/name',
    confirm: 'Show the entry in hex.',
    sources: [RETRIEVE],
    *check(subject) {
      // An entry of zeros is one that the count invents.
      const empty = new Set(flbsOf(subject).flatMap((flb) => (flb.data === 0n && flb.count === 0n && flb.name.bytes.length === 0 ? [flb.path] : [])));
      for (const found of wrong(subject, 'flb-unknown')) if (!empty.has((found.path ?? '').replace(/\/name$/, ''))) yield found;
    },
  },
  {
    id: 'flb/name-unknown',
    severity: 'warning',
    phase: 'retrieve',
    title: 'FLB name is unknown',
    about:
      'Its owner in the next kernel asks for it by the exact name. An object that only this machine’s kernels have is no damage; suppress the finding then.',
    reaction: 'flb/name-unknown',
    confirm: 'Compare with `abi list`.',
    sources: [RETRIEVE],
    *check(subject) {
      if (isIntact(subject) && !isOfUnknownKernel(subject.handover.foreign)) yield* noted(subject, 'flb-unknown');
    },
  },
  {
    id: 'flb/duplicate',
    severity: 'error',
    phase: 'retrieve',
    title: 'two objects have the same name',
    about: 'Names are unique among registered objects (EEXIST).',
    reaction: 'flb/duplicate',
    confirm: 'List the FLBs in the report.',
    sources: ['liveupdate_register_flb(), kernel/liveupdate/luo_flb.c, 7.1 to 7.3'],
    *check(subject) {
      const all = flbsOf(subject);
      for (const flb of all) {
        // An entry of zeros was never written: the count is wrong, not its name.
        if (flb.name.bytes.length === 0 && flb.count === 0n) continue;
        const same = all.filter((other) => other !== flb && other.name.text === flb.name.text);
        if (same.length > 0)
          yield hit(
            flb.reading.field('name'),
            `${same.length === 1 ? 'another object is' : `${same.length} other objects are`} called ${JSON.stringify(flb.name.text)}`,
          );
      }
    },
  },
  {
    id: 'flb/reference-count',
    severity: 'error',
    phase: 'finish',
    title: 'an object’s reference count does not match the files that need it',
    about:
      'An object is written with one reference for each file that needs it; from 7.2 on holders inside the kernel count, too, so there may be more. An object without references is not written at all.',
    reaction: 'flb/reference-count',
    confirm: 'Count the files of its handler in the report.',
    sources: ['luo_flb_serialize() and luo_flb_file_finish(), kernel/liveupdate/luo_flb.c, 7.1 to 7.3'],
    check: checkReferences,
  },
  {
    id: 'flb/kernel-holders',
    severity: 'info',
    phase: 'finish',
    title: 'something inside the old kernel held a reference to an object',
    about: 'From 7.2 on references taken with liveupdate_flb_get_outgoing() are counted as if they were files. The next kernel waits for as many finishes.',
    reaction: 'flb/kernel-holders',
    confirm: 'Compare the count with the number of files.',
    sources: ['luo_flb_serialize(), kernel/liveupdate/luo_flb.c, 7.2 and 7.3'],
    *check(subject) {
      if (subject.dialect !== '7.2') return;
      for (const flb of flbsOf(subject)) {
        const files = dependants(subject, flb);
        if (files !== null && flb.count > BigInt(files) && flb.count <= BigInt(files) + MAX_HOLDERS)
          yield hit(flb.reading.field('count'), `count of ${flb.name.text} is ${flb.count}, for ${files} files`);
      }
    },
  },
  {
    id: 'flb/test-data',
    severity: 'warning',
    phase: 'retrieve',
    title: 'data of a test FLB is not its number',
    about: 'The three objects of lib/tests/liveupdate.c hand over a fixed number each, to be compared in the next kernel.',
    reaction: 'flb/test-data',
    confirm: 'Look for "liveupdate test:" in the log of the next kernel.',
    sources: ['lib/tests/liveupdate.c, 7.1 to 7.3'],
    *check(subject) {
      for (const flb of flbsOf(subject)) {
        const index = /^liveupdate-test-flb-v([012])$/.exec(flb.name.text)?.[1];
        if (index !== undefined && flb.data !== testFlbData(Number(index)))
          yield hit(flb.reading.field('data'), `data of ${flb.name.text} is ${hex(flb.data)}, not ${hex(testFlbData(Number(index)))}`);
      }
    },
  },
];

/** More references than this are no holders but damage. */
const MAX_HOLDERS = 64n;

/** Sessions or files that are missing, hidden or invented make every count wrong. */
function* checkReferences(subject: Subject): Iterable<Hit> {
  const luo = `${subject.handover.path}/luo`;
  const lists = [
    'blocks/unclaimed',
    'blocks/hidden-entry',
    'blocks/partly-filled',
    'blocks/empty-entry',
    'blocks/count',
    'session/hidden-entry',
    'session/empty-entry',
    'file/count',
    'file/compatible',
    'file/handler-unknown',
    'session/no-files-area',
    'kho/page-shared',
    'kho/wrong-page',
    'kho/not-preserved',
  ];
  const after = lists.map((rule) => ({ rule, below: luo }));
  for (const found of countHits(subject)) yield { ...found, after };
}

function* countHits(subject: Subject): Iterable<Hit> {
  const { luo } = subject.handover;
  if (luo === null || luo.sessions === null || luo.notSerialised || luo.sessions.some((session) => !session.complete)) return;
  for (const flb of flbsOf(subject)) {
    const files = dependants(subject, flb);
    const node = flb.reading.field('count');
    if (flb.count === 0n && flb.data === 0n && flb.name.bytes.length === 0) continue;
    if (flb.count === 0n) yield hit(node, `count of ${JSON.stringify(flb.name.text)} is 0; objects without references are not written`);
    else if (files === null) continue;
    else if (flb.count < BigInt(files)) yield hit(node, `count of ${flb.name.text} is ${flb.count}, but ${files} files need it`);
    else if (flb.count > BigInt(files) && (subject.dialect !== '7.2' || flb.count > BigInt(files) + MAX_HOLDERS))
      yield hit(node, `count of ${flb.name.text} is ${flb.count}, but only ${files} files need it`);
  }
}

function* checkHeaderCount(subject: Subject): Iterable<Hit> {
  const { luo } = subject.handover;
  const { memory } = subject.dump;
  const list = luo?.flbEntries ?? null;
  const piece = list?.pieces[0];
  if (list === null || piece === undefined || !isIntact(subject) || luo?.notSerialised === true) return;
  const hidden = hiddenEntry(memory, list, piece);
  if (hidden !== null)
    yield hit(piece.countNode, `count is ${piece.count}, but an object is at ${hex(placeOf(memory, list.area, piece, hidden))}, right after the last`);
  if (emptyEntry(memory, list, piece) !== null)
    yield {
      ...hit(piece.countNode, `count is ${piece.count}, but the last of these entries is all zeros`),
      severity: 'info',
      reaction: 'flb/empty-name',
    };
}

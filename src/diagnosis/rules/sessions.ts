/** Rules about sessions and the files they list. Sources: kernel/liveupdate/luo_session.c and luo_file.c, 6.19 to 7.3. */
import { NEWEST } from '../../../abi/behaviour/facts.js';
import { filePages } from '../../../abi/luo/areas.js';
import { isOfUnknownKernel } from '../../handover/contracts.js';
import { type Contract, type Layer, isProposed, standingOf } from '../../../abi/contract.js';
import type { Handover } from '../../handover/decode.js';
import type { LuoFile, LuoSession } from '../../handover/luo.js';
import { hex } from '../../tree/words.js';
import { unclaimedBlocks } from '../pointers/claims.js';
import { isFileBlock } from '../pointers/plausible.js';
import { trustOf } from '../pointers/trust.js';
import { type Clue, type HandoverRule, type Hit, hit, wrong } from '../rule.js';
import { type Subject, dialectOf, isIntact } from '../subject.js';
import { emptySession, emptySessions, isOneEmptySession } from './blocks.js';
import { isSameStructure } from './sharing.js';
import { type Entries, type Piece, emptyEntry, hiddenEntry } from '../../handover/entries.js';

const DESERIALISE = 'luo_session_deserialize() and luo_file_deserialize(), kernel/liveupdate, 7.3';

/** Layers whose contracts describe what a file handler hands over. */
const HANDLERS: ReadonlySet<Layer> = new Set<Layer>(['memfd', 'vfio-pci', 'kvm-vm', 'guest-memfd', 'kvm-vcpu', 'handler']);

/** The files of all sessions, without those that a pointer leads to which is not believed. */
export const filesOf = (subject: Subject): readonly FileOfSession[] => {
  const before = known.get(subject.handover);
  if (before !== undefined) return before;
  const { isGarbage } = trustOf(subject);
  const files = sessionsOf(subject).flatMap((session) => session.files.flatMap((file) => (isGarbage(file.path) ? [] : [{ session, file }])));
  known.set(subject.handover, files);
  return files;
};

interface FileOfSession {
  readonly session: LuoSession;
  readonly file: LuoFile;
}

const known = new WeakMap<Handover, readonly FileOfSession[]>();

/** The sessions, likewise. */
const sessionsOf = (subject: Subject): readonly LuoSession[] => {
  const { isGarbage } = trustOf(subject);
  return (subject.handover.luo?.sessions ?? []).filter(({ path }) => !isGarbage(path));
};

/** Contracts of a handler's string, those of file handlers only. */
const handlersOf = (subject: Subject, compatible: string): readonly Contract[] =>
  subject.dump.contracts.named(compatible).filter((contract) => HANDLERS.has(contract.layer));

/** How a file is called in a sentence. */
const called = (session: LuoSession, file: LuoFile): string => `file ${hex(file.token)} of session ${JSON.stringify(session.name.text)}`;

const EMPTY_ENTRY = ['blocks/empty-entry', 'session/empty-entry'];

/** Where a count is told that invents entries of the list of sessions. */
const inventedBy = (subject: Subject): readonly Clue[] => EMPTY_ENTRY.map((rule) => ({ rule, below: `${subject.handover.path}/luo/sessions` }));

/** Is nothing preserved that could be a list of files, and that nothing leads to? Up to 7.1 a list is an area of pages, without a header. */
function hasNoLostFiles(subject: Subject): boolean {
  const inBlocks = dialectOf(subject.handover) === '7.2';
  const unclaimed = unclaimedBlocks(subject);
  return unclaimed?.every(({ start, order }) => (inBlocks ? isFileBlock(subject, start) !== true : 2 ** order !== filePages.pages)) === true;
}

export const sessionRules: readonly HandoverRule[] = [
  {
    id: 'session/name',
    severity: 'error',
    phase: 'deserialise',
    title: 'session name is empty or has no NUL',
    about: 'CREATE_SESSION refuses an empty name and one without a NUL in its 64 bytes (6.19 cuts the latter), so no kernel writes them.',
    reaction: 'session/name',
    confirm: 'Show the entry in hex.',
    sources: [DESERIALISE],
    *check(subject) {
      const empty = emptySessions(subject);
      for (const found of wrong(subject, 'session-name')) {
        const session = (found.path ?? '').replace(/\/name$/, '');
        // The first LUO takes any name.
        if (subject.dialect === '6.19' && sessionsOf(subject).some(({ path, name }) => path === session && name.terminated)) continue;
        const isLast = empty.size === 1 && subject.handover.luo?.sessions?.at(-1)?.path === session;
        if (isLast) yield { ...found, ...emptySession, severity: 'warning' };
        else yield { ...found, ...(empty.has(session) && empty.size > 1 ? { after: inventedBy(subject) } : {}) };
      }
    },
  },
  {
    id: 'session/duplicate',
    severity: 'error',
    phase: 'deserialise',
    title: 'two sessions have the same name',
    about: 'Names are unique among outgoing sessions (EEXIST), and the next kernel does not accept a name twice.',
    reaction: 'session/duplicate',
    confirm: 'Look for "Failed to insert session" in the log of the next kernel.',
    sources: [DESERIALISE],
    *check(subject) {
      const empty = emptySessions(subject);
      for (const found of wrong(subject, 'session-duplicate'))
        yield empty.has((found.path ?? '').replace(/\/name$/, '')) ? { ...found, after: inventedBy(subject) } : found;
    },
  },
  {
    id: 'session/name-trailing',
    severity: 'info',
    phase: 'freeze',
    title: 'session name: bytes after its NUL are not 0',
    about: 'The entry is zeroed and the name copied up to its NUL: bytes after it mean that the name was changed or cut.',
    reaction: 'session/name-trailing',
    confirm: 'Show the name in hex.',
    sources: ['luo_session_serialize(), kernel/liveupdate/luo_session.c, 7.3'],
    *check(subject) {
      if (!isIntact(subject)) return;
      for (const session of sessionsOf(subject)) {
        if (session.name.terminated && session.name.bytes.length > 0 && session.name.trailing > 0)
          yield hit(
            session.reading.field('name'),
            `${session.name.trailing} bytes after the NUL of session name ${JSON.stringify(session.name.text)} are not 0`,
          );
      }
    },
  },
  {
    id: 'session/no-files-area',
    severity: 'error',
    phase: 'deserialise',
    title: 'file count and file pointer of a session contradict each other',
    about: 'files is 0 exactly if count is 0.',
    reaction: 'session/no-files-area',
    confirm: 'Show the session entry in hex.',
    sources: [DESERIALISE],
    *check(subject) {
      if (!isIntact(subject)) return;
      for (const session of sessionsOf(subject)) {
        const [count, files] = [session.reading.integer('file_set_ser.count'), session.reading.integer('file_set_ser.files')];
        if (count === null || files === null || (count === 0n) === (files === 0n)) continue;
        // From 7.2 on emptied blocks are freed (kho_block_set_shrink()), and the blocks count themselves: file/count or blocks/count tells of that field.
        if (count === 0n && (session.entries?.area.maxPieces ?? 1) > 1) continue;
        // Where no list of files is left over, none was lost: the session had no files, and the count was changed.
        const neverHad = files === 0n && hasNoLostFiles(subject);
        const wrongField = session.reading.field(files === 0n && !neverHad ? 'file_set_ser.files' : 'file_set_ser.count');
        yield {
          ...hit(session.reading.field('file_set_ser'), `count is ${count} and files is ${hex(files)}`, wrongField.address),
          ...(files === 0n ? { reaction: neverHad ? ('session/count-of-none' as const) : ('session/files-null' as const) } : {}),
          after: [{ path: wrongField.path, rule: 'blocks/unclaimed' }],
        };
      }
    },
  },
  {
    id: 'session/hidden-entry',
    silent: true,
    severity: 'error',
    phase: 'deserialise',
    title: 'count of an area is too small: an entry follows the last one counted',
    about:
      'Up to 7.1 sessions and files are in areas that are zeroed when they are allocated: bytes after the last counted entry mean that the count is too small.',
    reaction: 'session/hidden-entry',
    confirm: 'Show the area in hex after its last entry.',
    sources: ['luo_session_serialize(), kernel/liveupdate/luo_session.c, 6.19 to 7.1'],
    check: hiddenInAreas,
  },
  {
    id: 'session/empty-entry',
    severity: 'error',
    phase: 'deserialise',
    title: 'count of an area is too large: the last entry counted is empty',
    about: 'Up to 7.1 the count alone says how many sessions or files there are: the last that it admits was never written.',
    reaction: 'session/empty-entry',
    confirm: 'Show the entry in hex.',
    sources: ['luo_session_deserialize(), kernel/liveupdate/luo_session.c, 6.19 to 7.1'],
    check: emptyInAreas,
  },
  {
    id: 'file/count',
    severity: 'error',
    phase: 'deserialise',
    title: 'file count of a session is not the number of its files',
    about: 'The session entry holds the total, each block the number of its entries; up to 7.1 the entry alone counts, and the area holds so many at most.',
    reaction: 'file/count',
    confirm: 'Look for "File count mismatch" in the log of the next kernel.',
    sources: [DESERIALISE, 'seen with 7.3.4: a count of 4 over 3 files'],
    *check(subject) {
      // Links and counts of blocks first: the session's count is the sum that no longer comes out.
      for (const found of wrong(subject, 'file-count')) {
        const session = (found.path ?? '').replace(/\/file_set_ser\/count$/, '');
        const rules = [
          'blocks/count',
          'blocks/partly-filled',
          'blocks/hidden-entry',
          'blocks/empty-entry',
          'blocks/unclaimed',
          'blocks/cycle',
          'blocks/pointer',
        ];
        yield {
          ...found,
          after: [
            ...rules.map((rule) => ({ rule, below: `${session}/files` })),
            { path: `${session}/file_set_ser/files` },
            { path: `${session}/file_set_ser`, rule: 'session/no-files-area' },
          ],
        };
      }
    },
  },
  {
    id: 'file/token-duplicate',
    severity: 'error',
    phase: 'retrieve',
    title: 'two files of a session have the same token',
    about: 'PRESERVE_FD refuses a token twice (EEXIST); the receiving side does not check.',
    reaction: 'file/token-duplicate',
    confirm: 'List the files of the session in the report.',
    sources: ['luo_retrieve_file(), kernel/liveupdate/luo_file.c, 6.19 to 7.3'],
    check: duplicateTokens,
  },
  {
    id: 'file/compatible',
    severity: 'error',
    phase: 'deserialise',
    title: 'handler string is empty or has no NUL',
    about: 'The string names the handler in the next kernel; it is compared byte for byte.',
    reaction: 'file/compatible',
    confirm: 'Look for "No registered handler" in the log of the next kernel.',
    sources: [DESERIALISE],
    *check(subject) {
      for (const found of wrong(subject, 'file-compatible')) {
        const list = (found.path ?? '').replace(/\/[^/]+\/compatible$/, '');
        const session = list.replace(/\/files$/, '');
        yield {
          ...found,
          after: [
            { rule: 'blocks/empty-entry', below: list },
            { rule: 'session/empty-entry', below: session },
            { rule: 'file/count', below: session },
          ],
        };
      }
    },
  },
  {
    id: 'file/handler-unknown',
    severity: 'error',
    phase: 'deserialise',
    title: 'file handler is unknown',
    about:
      'The next kernel looks a handler up by the exact string. One file without a handler is enough: the session fails, and with it every open of the device. A handler that only this machine’s kernels have is no damage; suppress the finding then.',
    reaction: 'file/handler-unknown',
    confirm: 'Look for "No registered handler" in the log of the next kernel; compare with `abi list`.',
    sources: [DESERIALISE, '"liveupdate: propagate file deserialization failures", March 2026', 'seen with 7.3.4: memfd-v9 written over memfd-v2'],
    *check(subject) {
      // Of a kernel nobody described, `abi/unknown-version` names what is not decoded.
      if (isOfUnknownKernel(subject.handover.foreign)) return;
      for (const { session, file } of filesOf(subject)) {
        if (
          !file.compatible.terminated ||
          file.compatible.bytes.length === 0 ||
          handlersOf(subject, file.compatible.text).length > 0 ||
          subject.handover.released
        )
          continue;
        const text = `the handler of ${called(session, file)} is ${JSON.stringify(file.compatible.text)}, which no release up to ${NEWEST} and no series known registers`;
        yield hit(file.reading.field('compatible'), text);
      }
    },
  },
  {
    id: 'file/handler-version',
    severity: 'error',
    phase: 'deserialise',
    title: 'a file’s handler is of a version that the releases which take this handover over do not have',
    about: 'memfd-v1 belongs to 6.19 and 7.0, memfd-v2 to 7.1 and later; the string must be the receiver’s, byte for byte.',
    reaction: 'file/handler-version',
    confirm: 'Compare with `abi list`, and look for "No registered handler" in the log of the next kernel.',
    sources: [DESERIALISE],
    *check(subject) {
      const { contract } = subject.handover;
      if (contract === null || contract.status !== 'released' || subject.handover.released) return;
      for (const { session, file } of filesOf(subject)) {
        const released = handlersOf(subject, file.compatible.text).filter((handler) => handler.status === 'released');
        if (released.length === 0 || released.some((handler) => handler.releases.some((release) => contract.releases.includes(release)))) continue;
        const text = `the handler of ${called(session, file)} is ${file.compatible.text}; the releases that read ${contract.compatible} (${contract.releases.join(', ')}) have another version`;
        yield hit(file.reading.field('compatible'), text);
      }
    },
  },
  {
    id: 'file/handler-unreleased',
    severity: 'info',
    phase: 'deserialise',
    title: 'a file’s handler is known from the mailing lists only',
    about: 'No release registers it. The next kernel needs the same patches, in the same version: one string was used for several layouts.',
    reaction: 'file/handler-unreleased',
    confirm: 'Compare the version of the series in both kernels.',
    sources: ['mail series of 2025 and 2026; see `abi show <string>`'],
    *check(subject) {
      const seen = new Set<string>();
      for (const { session, file } of filesOf(subject)) {
        const handlers = handlersOf(subject, file.compatible.text);
        if (handlers.length === 0 || !handlers.every(isProposed) || seen.has(file.compatible.text)) continue;
        seen.add(file.compatible.text);
        yield hit(
          file.reading.field('compatible'),
          `${file.compatible.text} (${called(session, file)}) is of a mail series (${standingOf(handlers)}); no release up to ${NEWEST} has it`,
        );
      }
    },
  },
  {
    id: 'file/compatible-trailing',
    severity: 'info',
    phase: 'freeze',
    title: 'handler string: bytes after its NUL are not 0',
    about: 'The entry is zeroed and the string copied up to its NUL: bytes after it mean that the string was changed or cut.',
    reaction: 'file/compatible-trailing',
    confirm: 'Show the string in hex.',
    sources: ['luo_file_freeze(), kernel/liveupdate/luo_file.c, 7.3'],
    *check(subject) {
      if (!isIntact(subject)) return;
      for (const { file } of filesOf(subject)) {
        if (file.compatible.terminated && file.compatible.bytes.length > 0 && file.compatible.trailing > 0)
          yield hit(file.reading.field('compatible'), `${file.compatible.trailing} bytes after the NUL of ${JSON.stringify(file.compatible.text)} are not 0`);
      }
    },
  },
  {
    id: 'file/data-pointer',
    severity: 'error',
    phase: 'retrieve',
    title: 'a file’s data does not lead to a structure',
    about:
      'For the handlers known, data is the physical address of a page with the structure. Address 0 is not recognised as none: the kernel reads physical page 0, warns twice, and fails.',
    reaction: 'file/data-pointer',
    confirm: 'RETRIEVE_FD of the token in the next kernel; "WARNING: … kho_restore_page" in its log.',
    sources: ['memfd_luo_retrieve(), mm/memfd_luo.c, 6.19 to 7.3', 'seen with 7.3.4: data 0'],
    *check(subject) {
      for (const found of wrong(subject, 'data-pointer')) {
        const flb = (found.path ?? '').includes('/flbs/');
        yield flb ? { ...found, reaction: 'flb/nothing-there' } : found;
      }
    },
  },
  {
    id: 'file/data-shared',
    severity: 'error',
    phase: 'retrieve',
    title: 'two files lead to the same structure',
    about: 'From 7.1 on a file can be preserved once only (EBUSY); 6.19 allows it twice.',
    reaction: 'file/data-shared',
    confirm: 'Compare the data of the files in the report.',
    sources: ['kho_restore_page(), kernel/liveupdate/kexec_handover.c; EBUSY in luo_preserve_file(), 7.1'],
    *check(subject) {
      for (const { reference, why, owner } of trustOf(subject).distrusted.values()) {
        if (why !== 'shared' || owner === null || !isSameStructure(reference, owner)) continue;
        yield hit(
          reference.from,
          `data is ${hex(reference.address)}, that of ${owner.path.replace(/\/data$/, '')}, too`,
          reference.fromAddress ?? reference.from.address,
        );
      }
    },
  },
];

/** Tokens mostly ascend: of two that are equal the one is blamed that is not between its neighbours, else the second, which is never found. */
function* duplicateTokens(subject: Subject): Iterable<Hit> {
  const places = new Map(sessionsOf(subject).flatMap(({ files }) => files.map((file, index) => [file.path, { files, index }] as const)));
  for (const found of wrong(subject, 'file-token-duplicate')) {
    const path = (found.path ?? '').replace(/\/token$/, '');
    const second = places.get(path);
    const token = second?.files[second.index]?.token;
    const first = second?.files.findIndex((file) => file.token === token);
    const other = first === undefined ? undefined : second?.files[first];
    if (
      second === undefined ||
      first === undefined ||
      other === undefined ||
      first === second.index ||
      isInOrder(second.files, first) ||
      !isInOrder(second.files, second.index)
    )
      // An entry that a count invents has token 0.
      yield { ...found, after: EMPTY_ENTRY.map((rule) => ({ rule, below: path.replace(/\/files\/[^/]+$/, '') })) };
    else yield hit(other.reading.field('token'), found.message);
  }
}

function isInOrder(files: readonly LuoFile[], index: number): boolean {
  const [before, own, next] = [files[index - 1], files[index], files[index + 1]];
  return own !== undefined && (before === undefined || before.token < own.token) && (next === undefined || own.token < next.token);
}

function* countedAreas(subject: Subject): Iterable<{ readonly list: Entries; readonly piece: Piece; readonly what: 'session' | 'file' }> {
  const { luo } = subject.handover;
  if (luo === null || luo.entries === null || !isIntact(subject)) return;
  // Until the reboot the count is 0, whatever entries an aborted freeze left.
  // FLBs are counted once the sessions are: then it should not be.
  if (!luo.notSerialised || subject.moment === 'early' || (luo.flbs ?? []).some(({ count }) => count > 0n)) yield* wholeArea(luo.entries, 'session');
  for (const { entries } of luo.sessions ?? []) if (entries !== null) yield* wholeArea(entries, 'file');
}

function* wholeArea<W>(list: Entries, what: W): Iterable<{ readonly list: Entries; readonly piece: Piece; readonly what: W }> {
  if (list.area.maxPieces === 1) for (const piece of list.pieces) yield { list, piece, what };
}

/** An entry is after the last that the count admits. */
function* hiddenInAreas(subject: Subject): Iterable<Hit> {
  for (const { list, piece, what } of countedAreas(subject)) {
    if (hiddenEntry(subject.dump.memory, list, piece) !== null) yield hit(piece.countNode, `count is ${piece.count}, but a ${what} is right after the last`);
  }
}

/** The last entry that the count admits was never written. */
function* emptyInAreas(subject: Subject): Iterable<Hit> {
  for (const { list, piece, what } of countedAreas(subject)) {
    if (emptyEntry(subject.dump.memory, list, piece) !== null)
      yield {
        ...hit(piece.countNode, `count is ${piece.count}, but the last ${what} of these is all zeros`),
        ...(what === 'session' && isOneEmptySession(subject, piece.countNode.path) ? emptySession : {}),
      };
  }
}

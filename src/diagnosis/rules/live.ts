/**
 * Rules about the objects of a running kernel: what luo_session_global and the lists below it say of a live update under way, or done.
 * Sources: kernel/liveupdate/luo_core.c, luo_session.c, luo_file.c, 7.1 to 7.3.
 */
import { type ErrnoName, errnoName } from '../../../abi/errno.js';
import type { Handover } from '../../handover/decode.js';
import type { LuoFile, LuoSession } from '../../handover/luo.js';
import { hex } from '../../tree/words.js';
import type { LiveFile, LiveSession } from '../../objects/model.js';
import { deathIn, deathText } from '../log/death.js';
import { type DumpRule, type Hit, seen } from '../rule.js';
import { type DumpSubject, momentOf } from '../subject.js';

const SOURCE = 'kernel/liveupdate/luo_session.c and luo_file.c, 7.3';
const SEEN = 'seen with 7.3.4: dumps of running kernels at several moments';

/** So many are named one by one. */
const NAMED = 8;

/** The records of one role, as reports show them, with the objects in them. */
const sideOf = (subject: DumpSubject, role: Handover['role']): Handover | null =>
  subject.objects?.decoded.handovers.find((handover) => handover.role === role && handover.luo?.source !== undefined) ?? null;

function recordOf(subject: DumpSubject, role: Handover['role'], session: LiveSession): LuoSession | null {
  return sideOf(subject, role)?.luo?.sessions?.find(({ name }) => name.text === session.name.text) ?? null;
}

const fileRecordOf = (record: LuoSession | null, file: LiveFile): LuoFile | null => record?.files.find(({ token }) => token === file.token) ?? null;

const named = (name: string): string => JSON.stringify(name);

function list(texts: readonly string[]): string {
  return texts.length > NAMED ? `${texts.slice(0, NAMED).join(', ')} and ${texts.length - NAMED} more` : texts.join(', ');
}

const errnoOf = (status: number): ErrnoName | null => errnoName(-status);
const errnoText = (status: number): string => errnoOf(status) ?? `${status}`;

export const liveRules: readonly DumpRule[] = [
  {
    id: 'live/open-failed',
    severity: 'error',
    phase: 'deserialise',
    title: 'the running kernel could not make sessions of what was handed over',
    about:
      'The first open of /dev/liveupdate makes objects of the sessions. The kernel keeps what that returned, and every later open returns EIO. Sessions made before the failure stay in memory; nobody can reach them.',
    reaction: seen('objects', 'open-fails', 'Every open of /dev/liveupdate fails with EIO until the next reboot.', 'EIO'),
    confirm: 'Look for "Failed to deserialize" in its log: the line names the session.',
    sources: [SOURCE, SEEN],
    *checkDump(subject) {
      const { objects } = subject;
      const error = objects?.live?.deserialiseError ?? 0;
      if (objects?.live == null || error >= 0) return;
      const side = sideOf(subject, 'incoming');
      const sessions = objects.live.incoming.sessions ?? [];
      const made =
        sessions.length === 0
          ? 'no session was made'
          : `made before: ${list(sessions.map(({ name, files }) => `${named(name.text)} with ${files.length} files`))}`;
      yield {
        message: `the kernel remembers ${errnoText(error)} from deserialising the sessions; ${made}`,
        at: side?.luo?.node.address ?? null,
        path: side === null ? 'incoming/luo' : `${side.path}/luo`,
      };
    },
  },
  {
    id: 'live/retrieve-failed',
    severity: 'error',
    phase: 'retrieve',
    title: 'the running kernel could not retrieve a file',
    about:
      'The kernel keeps the errno of a failed retrieve in the file’s object, and does not try again: every later RETRIEVE_FD of that token returns the same. What was handed over of the file is freed.',
    reaction: seen('objects', 'retrieve-fails', 'RETRIEVE_FD of this token keeps failing; the file’s contents are lost.'),
    confirm: 'Look at the log for what the file’s handler said.',
    sources: ['luo_retrieve_file(), kernel/liveupdate/luo_file.c, 7.1 to 7.3', SEEN],
    *checkDump(subject) {
      for (const session of subject.objects?.live?.incoming.sessions ?? []) {
        const record = recordOf(subject, 'incoming', session);
        for (const file of session.files) {
          const status = file.retrieveStatus ?? 0;
          if (status >= 0) continue;
          const node = fileRecordOf(record, file)?.node ?? null;
          yield {
            message: `session ${named(session.name.text)}, token ${hex(file.token)} (${file.compatible.text}): retrieve_status is ${status} (${errnoText(status)})`,
            at: node?.address ?? null,
            path: node?.path ?? null,
            reaction: seen(
              'objects',
              'retrieve-fails',
              `RETRIEVE_FD of token ${hex(file.token)} keeps failing; what was handed over of the file is freed.`,
              errnoOf(status),
            ),
          };
        }
      }
    },
  },
  {
    id: 'live/lost-file',
    severity: 'warning',
    phase: 'finish',
    title: 'a file that was handed over is gone',
    about:
      'A file that is finished without being retrieved leaves no object, and its pages are freed. It is called lost only where its serialised form is still there, its session has no such file any more, and no process has a memfd with its pages open.',
    reaction: seen('objects', 'finish-fails', 'The file’s contents are gone; nobody retrieved it before its session was finished.'),
    confirm: 'Compare with an earlier dump: `luo-inspect diff <before> <after>`.',
    sources: ['luo_file_finish(), kernel/liveupdate/luo_file.c, 7.3'],
    *checkDump(subject) {
      yield* lostFiles(subject);
    },
  },
  {
    id: 'live/disagrees',
    severity: 'warning',
    phase: 'freeze',
    title: 'what is serialised and the kernel’s own objects differ',
    about:
      'While nothing has been retrieved, the serialised sessions and the objects they were made from (or are about to be made into) say the same. Where they differ, one of them is damaged.',
    reaction: seen('objects', 'unknown', 'The next kernel goes by what is serialised.'),
    silent: true,
    confirm: 'Look at both in the terminal: the serialised entry, and the object beside it.',
    sources: [SOURCE],
    *checkDump({ objects }) {
      for (const { text, at, path, ofFile } of objects?.disagreements ?? [])
        yield { message: text, at, path, ...(ofFile && path.startsWith('outgoing/') ? { reaction: ANOTHER_FILE } : {}) };
    },
  },
  {
    id: 'live/damaged-objects',
    severity: 'warning',
    phase: 'preserve',
    title: 'objects of the running kernel could not be followed',
    about:
      'A list that does not come back to its head, a pointer into nowhere, a count that is not the list’s: the kernel’s own memory is damaged, or was changing while the dump was taken.',
    reaction: null,
    confirm: 'Take the dump again with the machine stopped.',
    sources: [SOURCE],
    *checkDump(subject) {
      for (const trouble of subject.objects?.live?.troubles ?? [])
        if (trouble.page === null) yield { message: `${trouble.what}: ${trouble.why}`, at: null, path: null };
    },
  },
  {
    id: 'live/panicked',
    severity: 'error',
    phase: 'early boot',
    title: 'the kernel of this dump panicked',
    about:
      'Its own log ends in a panic. Whether that has to do with the handover is told by the line and the stack; the objects show how far the sessions had come. Nothing that was preserved outlives it.',
    reaction: seen('log', 'panic', 'This kernel has ended: what it had taken over, and what it had preserved, goes with it.'),
    confirm: '`luo-inspect log <dump>` prints the whole log, with the stack.',
    sources: ['kernel/panic.c, 7.3', 'seen with 7.3.4: a kernel without a root file system, one whose init ended, one that died in RETRIEVE_FD'],
    *checkDump({ log, dump }) {
      const story = deathIn(log, dump);
      if (story?.panicked === true) yield { message: deathText(story, NAMED), at: null, path: null };
    },
  },
  {
    id: 'live/oopsed',
    severity: 'info',
    phase: 'early boot',
    title: 'a task of the kernel in this dump died in the kernel',
    about: 'Its log has an Oops that ended a task, not the kernel. What that task held (locks, a session half retrieved) stays as it was.',
    reaction: null,
    confirm: '`luo-inspect log <dump>` prints the whole log, with the stack.',
    sources: ['kernel/panic.c, arch/x86/kernel/dumpstack.c, 7.3'],
    *checkDump({ log, dump }) {
      const story = deathIn(log, dump);
      if (story?.panicked === false) yield { message: deathText(story, NAMED), at: null, path: null };
    },
  },
  {
    id: 'live/not-retrieved',
    severity: 'info',
    phase: 'retrieve',
    title: 'sessions or files wait to be retrieved',
    about: 'What nobody retrieves before the next reboot is lost; a session that is finished without its files loses them.',
    reaction: null,
    confirm: 'See which agent owns the session, and whether it has come up.',
    sources: [SOURCE, SEEN],
    *checkDump(subject) {
      const { objects } = subject;
      if (objects?.live?.deserialised !== true || (objects.live.deserialiseError ?? 0) < 0) return;
      for (const session of objects.live.incoming.sessions ?? []) {
        const record = recordOf(subject, 'incoming', session);
        const waiting = session.files.filter(({ phase }) => phase === 'deserialised');
        const files = waiting.length === 0 ? '' : `${waiting.length} of its ${session.files.length} files: ${list(waiting.map(({ token }) => hex(token)))}`;
        if (session.state === 'waiting')
          yield hitOf(record, `session ${named(session.name.text)} was not retrieved by anybody yet${files === '' ? '' : `; waiting are ${files}`}`);
        else if (waiting.length > 0) yield hitOf(record, `session ${named(session.name.text)} was retrieved, but not ${files}`);
      }
    },
  },
  {
    id: 'live/not-frozen',
    severity: 'info',
    phase: 'freeze',
    title: 'sessions are preserved, and not frozen',
    about:
      'Sessions are serialised by reboot(LINUX_REBOOT_CMD_KEXEC). A dump of a kernel that has not come there holds them as objects alone; a panic now loses them.',
    reaction: null,
    confirm: 'A dump taken at machine_kexec() has the serialised tree.',
    sources: ['luo_session_serialize(), kernel/liveupdate/luo_session.c, 7.3', SEEN],
    *checkDump(subject) {
      const outgoing = subject.objects?.live?.outgoing;
      const sessions = outgoing?.sessions ?? [];
      if (outgoing === undefined || outgoing.frozen || sessions.length === 0) return;
      const files = sessions.reduce((sum, session) => sum + session.files.length, 0);
      const side = sideOf(subject, 'outgoing');
      yield {
        message: `${sessions.length} sessions with ${files} files are preserved and not frozen: ${list(sessions.map(({ name }) => named(name.text)))}`,
        at: side?.luo?.node.address ?? null,
        path: side === null ? 'outgoing/luo' : `${side.path}/luo`,
      };
    },
  },
  {
    id: 'live/not-readable',
    severity: 'info',
    phase: 'preserve',
    title: 'the running kernel’s own objects cannot be read from this dump',
    about:
      'Before the freeze, and once the next kernel runs, the truth about sessions lives in kernel objects. They are found through VMCOREINFO, the page tables, kallsyms and BTF, all of them pages of the kernel’s memory; where one is missing, what it is and what to give for it is said.',
    reaction: null,
    confirm: 'Take a dump with kernel data (makedumpfile -d 31 has it), or give --symbols and --vmlinux.',
    sources: ['Documentation/admin-guide/kdump/vmcoreinfo.rst, 7.3'],
    *checkDump(subject) {
      const { objects, dump } = subject;
      if (objects === null) return;
      // While the serialised tree is whole, nobody misses the objects.
      const needed = dump.handovers.find((handover) => handover.hasLuo && ['running', 'booted'].includes(momentOf(handover)));
      if (needed === undefined) return;
      const lacking = objects.troubles.filter(({ page }) => page !== null || objects.live === null);
      const texts = [...objects.missing, ...lacking.map(({ what, why }) => `${what}: ${why}`)];
      if (texts.length > 0) yield { message: texts.slice(0, NAMED).join('; '), at: lacking[0]?.page ?? null, path: needed.path };
    },
  },
];

const ANOTHER_FILE = seen('objects', 'corrupts', 'The next kernel goes by what is serialised: the file that comes back is not the one that was handed over.');

const hitOf = (record: LuoSession | null, message: string): Hit => ({ message, at: record?.node.address ?? null, path: record?.path ?? null });

/** Files whose serialised form is still there, and that no process has any more. */
function* lostFiles({ objects, dump }: DumpSubject): Iterable<Hit> {
  const live = objects?.live ?? null;
  if (live === null || live.deserialised !== true || live.openPages === null) return;
  const sessions = new Map((live.incoming.sessions ?? []).map((session) => [session.name.text, session]));
  for (const handover of dump.handovers) {
    if (handover.role !== 'incoming') continue;
    for (const session of handover.luo?.sessions ?? []) {
      const object = sessions.get(session.name.text);
      if (object === undefined || !object.complete) continue;
      for (const file of session.files) {
        if (object.files.some(({ token }) => token === file.token) || file.decoded?.kind !== 'memfd') continue;
        const [run] = file.decoded.runs();
        if (run === undefined || live.openPages.has(run.pfn)) continue;
        yield {
          message: `session ${named(session.name.text)}, token ${hex(file.token)}: its serialised form is there, its session has no such file any more, and no process has its pages open (pfn ${hex(run.pfn)})`,
          at: file.node.address,
          path: file.path,
        };
      }
    }
  }
}

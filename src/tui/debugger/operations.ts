/**
 * What the kernel does at an operation of the trace, in a few sentences: for somebody who learns live update by stepping through it.
 * Sources: kernel/liveupdate/luo_core.c, luo_session.c, luo_file.c, luo_flb.c, kexec_handover.c and mm/memfd_luo.c, 7.3.
 */

interface About {
  readonly op: RegExp;
  readonly does: string;
  readonly refuses: string;
  readonly source: string;
}

const ABOUT: readonly About[] = [
  {
    op: /^(CREATE_SESSION|create-session|luo_session_create)/,
    does: 'Creates a session: a named container of files that are handed over together, and a file descriptor that keeps it alive. Closing the descriptor before the kexec gives up what was preserved in it.',
    refuses: 'EEXIST where the name is taken, EINVAL for an empty name, ENOMEM.',
    source: 'luo_session_create(), kernel/liveupdate/luo_session.c',
  },
  {
    op: /^(PRESERVE_FD|preserve|luo_preserve_file)/,
    does: 'Asks each registered handler whether it can preserve the file; the first that can is told to do so, and the file is listed in the session under its token.',
    refuses: 'EEXIST for a token in use, EBUSY for a file that is preserved already, ENOENT where no handler wants the file, and whatever the handler answers.',
    source: 'luo_preserve_file(), kernel/liveupdate/luo_file.c',
  },
  {
    op: /\.preserve$/,
    does: 'The handler makes the file ready to be handed over: a memfd pins its folios, lists them in a table, and has the pages of both preserved by KHO.',
    refuses: 'EINVAL or EBUSY for files it cannot hand over as they are, ENOMEM.',
    source: 'memfd_luo_preserve(), mm/memfd_luo.c',
  },
  {
    op: /\.freeze$/,
    does: 'Called once the reboot into the next kernel has begun: the last chance to write down what still changes, such as a file position. A refusal here makes LUO unfreeze what was frozen and gives the reboot up.',
    refuses: 'Any errno; the reboot() that asked for the kexec then fails with it.',
    source: 'luo_file_freeze(), kernel/liveupdate/luo_file.c',
  },
  {
    op: /^luo_session_freeze/,
    does: 'Freezes every file of a session in the order in which they were preserved, and writes their entries into the blocks that are handed over.',
    refuses: 'What a handler refuses. Files frozen so far are unfrozen, in reverse order.',
    source: 'luo_session_freeze_one(), kernel/liveupdate/luo_session.c',
  },
  {
    op: /^(RETRIEVE_FD|retrieve|luo_retrieve_file)/,
    does: 'In the next kernel: finds the file by its token and asks its handler to make it again from what was handed over.',
    refuses: 'ENOENT for a token nobody knows; what the handler answers, which is remembered and answered again to a second try.',
    source: 'luo_retrieve_file(), kernel/liveupdate/luo_file.c',
  },
  {
    op: /\.retrieve$/,
    does: 'The handler makes the file again: a memfd restores each folio of its table from the memory that KHO kept, and puts it into a new file.',
    refuses: 'EIO where a folio cannot be restored, EINVAL for a description that makes no sense, ENOMEM.',
    source: 'memfd_luo_retrieve(), mm/memfd_luo.c',
  },
  {
    op: /^(SESSION_FINISH|finish|luo_session_finish)/,
    does: 'Ends a session in the next kernel: handlers give up what was not retrieved, and the pages that only the handover needed are freed.',
    refuses: 'What can_finish of a handler answers, EBUSY as a rule; the session then stays as it is.',
    source: 'luo_session_finish_one(), kernel/liveupdate/luo_session.c',
  },
  {
    op: /^kho_restore_(folio|pages)/,
    does: 'Turns preserved pages back into pages of the page allocator. The struct page of the first must carry the tag and the order that the preserved memory map gave it in early boot.',
    refuses: 'NULL, with a warning, where the page was not preserved or was preserved at another order: there is no errno, the caller makes one.',
    source: 'kho_restore_page(), kernel/liveupdate/kexec_handover.c',
  },
  {
    op: /^kho_preserve/,
    does: 'Puts pages into the preserved memory map, so that the next kernel leaves them alone.',
    refuses: 'EEXIST or ENOMEM; EINVAL for pages inside scratch memory.',
    source: 'kho_preserve_folio(), kho_preserve_pages(), kernel/liveupdate/kexec_handover.c',
  },
  {
    op: /^write /,
    does: 'A structure of the handover is written to memory that the next kernel reads: an ABI between two kernels, which the layout of its version fixes.',
    refuses: 'Nothing.',
    source: 'include/linux/kho/abi/',
  },
  {
    op: /^(reboot|kexec)/,
    does: 'The system call that starts the next kernel. LUO serialises all sessions first, which freezes their files; then devices are shut down and the jump is made.',
    refuses: 'EINVAL without a loaded image, and the errno of whoever refuses to freeze.',
    source: 'kernel_kexec(), kernel/kexec_core.c; liveupdate_reboot(), kernel/liveupdate/luo_core.c',
  },
  {
    op: /^moment /,
    does: 'No operation: a moment that is worth a dump. preserved: before the reboot call; frozen: serialised, not jumped; early: the next kernel before it looks at the map; booted: user space is up.',
    refuses: 'Nothing.',
    source: '',
  },
  {
    op: /^(flip|edit memory)$/,
    does: 'Damage from outside: the bytes change behind the kernel’s back, by a fault of the scenario or because you edited them.',
    refuses: 'Nothing.',
    source: '',
  },
  {
    op: /^printk$/,
    does: 'The kernel prints a line to its log.',
    refuses: 'Nothing.',
    source: '',
  },
];

/** Paragraphs about an operation; null where nothing is written down. */
export function aboutOperation(op: string): readonly string[] | null {
  const about = ABOUT.find((one) => one.op.test(op));
  if (about === undefined) return null;
  return [about.does, '', `What can refuse: ${about.refuses}`, ...(about.source === '' ? [] : ['', `Source: ${about.source}`])];
}

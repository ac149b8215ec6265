/**
 * What comes of a handover that is not as it should be: facts of the rules of `diagnose`, for where no replay, log or kernel object tells what happens. Named
 * after the rule that asks, or after what several ask. Sources: those of the rules; `lab` where a guest was seen to do it.
 */
import { always, type Fact, notDeserialised, outcome } from './behaviour.js';

/** @param told what the log says first */
const closed = (told: string): Fact =>
  notDeserialised(
    `${told} Every open of /dev/liveupdate fails with EIO until the next reboot, and no session can be retrieved.`,
    `${told} 6.19 ignores the failure: the device opens, with the part that was read before it.`,
  );

const rows = <const T extends Readonly<Record<string, Fact>>>(facts: T): T => facts;

export const damageFacts = rows({
  'abi/unknown-version': always(
    'unknown',
    'What the next kernel does with it follows from no release that is known: compare the two kernels with `abi check`.',
    'source',
  ),

  'blocks/empty-entry': always(
    'open-fails',
    'A session without a name is made, or a file without a handler: the latter fails every open of /dev/liveupdate with EIO.',
    'source',
    'EIO',
  ),
  'blocks/hidden-entry': always(
    'retrieve-fails',
    'A hidden session is lost without a message: who asks for it gets ENOENT, and its memory stays reserved. A hidden file makes the count of its session wrong: every open of /dev/liveupdate fails with EIO.',
    'source',
    'ENOENT',
  ),
  'blocks/not-restored': always(
    'panic',
    'A list of sessions that cannot be restored panics the next kernel early in boot; one of files makes every open of /dev/liveupdate fail with EIO.',
    'source',
  ),
  'blocks/partly-filled': always(
    'retrieve-fails',
    'The kernel does not check it: the hidden sessions are lost without a message (ENOENT); hidden files make the count of their session wrong (EIO on open).',
    'source',
    'ENOENT',
  ),
  'blocks/unclaimed': always(
    'retrieve-fails',
    'What is there is lost without a message: RETRIEVE_SESSION gives ENOENT. Files that are missing make the count of their session wrong.',
    'lab',
    'ENOENT',
  ),

  'compat/layout-changed': always(
    'unknown',
    'A kernel that has the described layout accepts the string and reads other fields than were written; one with this layout takes it over.',
    'source',
  ),

  'dma/nobody': always('leaks', 'The memory stays reserved until a cold boot, and what arrives there is lost.', 'source'),
  'dma/not-preserved': always('corrupts', 'The device writes into whatever the next kernel keeps there, and nothing says so.', 'source'),
  'dma/table-not-preserved': always('corrupts', 'The device writes to addresses that somebody else’s data happens to spell, or faults.', 'source'),

  'file/compatible': closed('"No registered handler for compatible".'),
  'file/compatible-trailing': always('ignored', 'The kernel compares up to the NUL.', 'source'),
  'file/count': closed('"File count mismatch: expected …, found …", "Failed to deserialize files for session […] -EINVAL".'),
  'file/data-pointer': always(
    'retrieve-fails',
    'RETRIEVE_FD of this token fails, and the error is kept for every further try; the contents are lost.',
    'lab',
    'EINVAL',
  ),
  'file/data-shared': always(
    'retrieve-fails',
    'The second restore finds the tag of the page gone: it warns in kho_restore_page(), and the file cannot be retrieved.',
    'source',
    'EINVAL',
  ),
  'file/handler-unknown': closed(`"No registered handler for compatible '…'", "Failed to deserialize files for session […] -ENOENT".`),
  'file/handler-unreleased': closed(`Without the patches: "No registered handler for compatible '…'".`),
  'file/handler-version': closed(`"No registered handler for compatible '…'".`),
  'file/token-duplicate': always('leaks', 'RETRIEVE_FD finds the first; the second cannot be reached, and FINISH discards it.', 'source'),

  'flb/duplicate': always('leaks', 'The first is found; the second stays reserved.', 'source'),
  'flb/header': always('ignored', 'Every object is found all the same (seen with 7.2.13 and 7.3.4).', 'lab'),
  'flb/header-count': always(
    'warns',
    'An object past the count is not found (ENOENT in the kernel); its owner starts afresh, and its data stays reserved.',
    'source',
  ),
  'flb/kernel-holders': always(
    'leaks',
    'The count does not fall to 0 when all files have finished: the object’s finish never runs (derived from the source).',
    'source',
  ),
  'flb/name': always('warns', 'Its owner in the kernel gets ENOENT and starts afresh; the old data stays reserved. No file is lost by it.', 'source'),
  'flb/name-unknown': always(
    'retrieve-fails',
    'If nobody in the next kernel asks for it under this name, its data stays reserved; its owner gets ENOENT under another.',
    'source',
    'ENOENT',
  ),
  'flb/page': always('panic', 'The page is read when the first object is asked for, without a check of the address: a wild one faults.', 'source'),
  'flb/reference-count': always(
    'finish-fails',
    'The count falls to 0 before or never when its files finish: the object is given up too early (a refcount warning follows), or its finish never runs and its data stays reserved.',
    'source',
  ),
  'flb/test-data': always('warns', 'The test prints that it found another value.', 'source'),

  'folio/not-restored': always(
    'retrieve-fails',
    'kho_restore_folio() warns and gives NULL ("Unable to restore folio at physical address"): RETRIEVE_FD fails with EIO, now and on every further try, and the later folios are freed.',
    'lab',
    'EIO',
  ),

  'hwpoison/list': always(
    'warns',
    '"metadata version … not supported", "blob too small" or "retrieve failed": the list is ignored, and broken pages are used again.',
    'source',
  ),
  'hwpoison/preserved': always(
    'corrupts',
    'The next kernel takes the page out of use once it has booted; whoever reads it before gets a machine check, and a guest loses the page (SIGBUS, EHWPOISON).',
    'source',
  ),

  'kexec-metadata/count': always('ignored', 'The next kernel prints it and counts on.', 'source'),
  'kexec-metadata/count-ahead': always('ignored', 'Both numbers are only printed.', 'source'),
  'kexec-metadata/damaged': always(
    'warns',
    'The next kernel prints why ("kexec-metadata version … not supported", "blob too small") and goes on without it: its count starts again.',
    'source',
  ),
  'kexec-metadata/release': always('ignored', 'The next kernel prints it.', 'source'),

  'kho/beyond-memory': always(
    'panic',
    'The next kernel tags the struct page of the block’s first page; where there is no memory there is no struct page, and it faults early in boot (derived from the source, not seen).',
    'source',
  ),
  'kho/blob-size': always('ignored', 'As long as the blob is not too small, the next kernel reads the part it knows.', 'source'),
  'kho/fdt-layout': always('ignored', 'libfdt reads it all the same.', 'source'),
  'kho/fdt-oversized': always('ignored', 'The handover is taken over (seen with 7.3.4 and a totalsize of 1 MiB).', 'lab'),
  'kho/fdt-refused': always(
    'cold-boot',
    'The next kernel prints "handover FDT (0x…) is invalid" and "disabling KHO revival", and boots as if nothing had been handed over. All preserved memory is lost.',
    'source',
  ),
  'kho/in-scratch': always('corrupts', 'The next kernel has overwritten the pages before it reserves them; nothing says so.', 'source'),
  'kho/keys-missing': always('corrupts', 'No block that this entry leads to is reserved: the next kernel uses their pages for other things.', 'source'),
  'kho/map-ambiguous': always('taken-over', 'A kernel that has the same bitmap size takes it over; one of the other size corrupts memory.', 'source'),
  'kho/map-misread': always(
    'corrupts',
    'The next kernel takes what is there for keys: it reserves wrong memory and hands preserved memory to others. A pointer to no memory faults before the console speaks, and the machine resets.',
    'lab',
  ),
  'kho/map-none': [
    [
      '6.16',
      outcome(
        'warns',
        'Nothing is reserved, and what is restored warns in kho_restore_page() ("failed to restore folio for KHO fdt"); seen with 6.18.15.',
        'source',
      ),
    ],
    ['7.1', outcome('cold-boot', 'kho_populate() finds no map, and the next kernel boots cold.', 'source')],
  ],
  'kho/map-page-preserved': always('corrupts', 'The next kernel takes somebody’s data for a part of the map, and reserves wrong memory.', 'source'),
  'kho/map-pointer': always('panic', 'Following a wild address faults before the console speaks: the machine hangs or resets.', 'source'),
  'kho/map-property': [
    [
      '6.16',
      outcome(
        'panic',
        'Up to 6.19 the map is not checked when the handover is taken: nothing is reserved, and preserved memory is used for other things.',
        'source',
      ),
    ],
    ['7.1', outcome('cold-boot', 'kho_populate() finds no map, and the next kernel boots cold.', 'source')],
  ],
  'kho/not-preserved': always('corrupts', 'Depends on what is there: files cannot be retrieved; for LUO’s own structures anything may happen.', 'lab'),
  'kho/order-overflow': always('corrupts', 'The next kernel reserves a wrong range, or none.', 'source'),
  'kho/other-order': always('warns', 'The restorer warns in kho_restore_page() and does without the pages, or gets a block of another size.', 'source'),
  'kho/page-shared': always(
    'corrupts',
    'The next kernel reads one structure as another; a page can be restored once only, so the second restore warns in kho_restore_page() and fails.',
    'source',
  ),
  'kho/preserved-twice': always(
    'corrupts',
    'Whoever restores first gets the pages with that block’s order; the second restore warns in kho_restore_page() and fails.',
    'source',
  ),
  'kho/property-name': always(
    'panic',
    'The next kernel finds no property of the name: without that of the map it boots cold; without those of a subtree LUO panics, and others start afresh.',
    'lab',
  ),
  'kho/subtree-address': always('unknown', 'The next kernel reads whatever is there; LUO then panics, others fail.', 'source'),
  'kho/subtree-blob': always('unknown', 'Depends on the subtree: reserve_mem= regions are allocated afresh, the KHO test fails, LUO panics.', 'source'),
  'kho/subtree-duplicate': always('ignored', 'The second is never found; its memory stays preserved and unclaimed.', 'source'),
  'kho/subtree-property': always(
    'unknown',
    'EINVAL, and from 7.1 "broken KHO subnode"; what follows depends on the subtree: LUO panics, memblock allocates afresh.',
    'source',
    'EINVAL',
  ),
  'kho/subtree-renamed': always(
    'retrieve-fails',
    'Its user in the next kernel finds no subtree of its name, and starts as if nothing had been handed over, without a message.',
    'lab',
    'ENOENT',
  ),
  'kho/subtree-size': always('unknown', 'Depends on the subtree: LUO panics on a blob that is too small, kexec metadata is ignored.', 'source'),
  'kho/subtree-unaligned': always('unknown', 'The next kernel reads from the middle of the page; LUO then panics, others fail.', 'source'),
  'kho/subtree-unknown': always('unknown', 'If nothing in the next kernel asks for it, its memory stays preserved and unclaimed.', 'source'),
  'kho/unclaimed': always('leaks', 'Blocks that nobody claims stay reserved; the struct page of their first page keeps the KHO tag.', 'source'),
  'kho/version-properties': always(
    'cold-boot',
    'A kernel of the version that the string names finds none of the properties it looks for; one of the version that wrote it refuses the string.',
    'source',
  ),
  'kho/version-unknown': always(
    'cold-boot',
    `The next kernel prints "handover FDT (0x…) is incompatible with 'kho-v4'" and "disabling KHO revival", and boots as if nothing had been handed over. Sessions are gone: RETRIEVE_SESSION gives ENOENT.`,
    'lab',
  ),
  'kho/version-unreleased': always('cold-boot', 'Every release refuses the string and boots cold.', 'source'),
  'kho/wrong-page': always('corrupts', 'The next kernel takes what is there for the structure.', 'lab'),

  'kho-test/damaged': always('warns', 'test_kho reports a failure; nothing else depends on it.', 'source'),

  'kvm/caretaker': always('retrieve-fails', 'The handshake with the CPU times out after 2 s, or the wrong vCPU is stopped.', 'source', 'ETIMEDOUT'),
  'kvm/caretaker-failed': always('retrieve-fails', 'Retrieve and unpreserve fail, and the VM is marked bugged.', 'source', 'EIO'),
  'kvm/vm-token': always(
    'retrieve-fails',
    'Retrieving the file pulls its VM by that token, and fails; without the VM neither vCPU nor memory comes back.',
    'source',
    'ENOENT',
  ),

  'limit/reached': always('unknown', 'Items past the limit were not looked at, so nothing is foretold from it.', 'source'),

  'luo/blob-too-small': always(
    'panic',
    'The next kernel prints "LUO state is too small". Then "Kernel panic - not syncing: The incoming tree failed to initialize properly [-EINVAL], disabling live update".',
    'source',
  ),
  'luo/fdt': always(
    'panic',
    'The next kernel prints which node or property it could not read. Then "Kernel panic - not syncing: The incoming tree failed to initialize properly [-EINVAL], disabling live update".',
    'source',
  ),
  'luo/flbs-none': always('warns', 'The next kernel takes physical address 0 for the page, and finds no object there: a refcount warning at most.', 'source'),
  'luo/foreign-version': always(
    'panic',
    'The next kernel finds another version than its own. Then "Kernel panic - not syncing: The incoming tree failed to initialize properly [-EINVAL], disabling live update".',
    'source',
  ),
  'luo/number': always(
    'ignored',
    'The number is printed ("Retrieved live update data, liveupdate number: …") and counted on; nothing depends on it.',
    'source',
  ),
  'luo/number-sequence': always('ignored', 'The number is informational.', 'source'),
  'luo/version-unknown': always(
    'panic',
    `The next kernel prints "LUO state is incompatible with 'luo-v5'". Then "Kernel panic - not syncing: The incoming tree failed to initialize properly [-EINVAL], disabling live update".`,
    'lab',
  ),
  'luo/version-unreleased': always(
    'panic',
    'Every release refuses the string. Then "Kernel panic - not syncing: The incoming tree failed to initialize properly [-EINVAL], disabling live update".',
    'source',
  ),

  'memblock/afresh': always(
    'warns',
    'The next kernel prints why (not where start or size is missing, or is not 8 bytes long) and allocates the region afresh: it comes up with other contents, and the old memory stays reserved.',
    'source',
  ),
  'memblock/in-scratch': [
    ['6.16', outcome('corrupts', 'Parts of the region are overwritten when it is revived.', 'source')],
    ['6.19', outcome('warns', 'Parts of the region are overwritten when it is revived; kho_preserve_pages() warns when it is handed on.', 'source')],
  ],
  'memblock/not-preserved': always('corrupts', 'The next kernel revives the region, and its pages may be in use for something else.', 'source'),
  'memblock/overlap': always('corrupts', 'The next kernel revives both, and their owners write over each other.', 'source'),
  'memblock/shared': always('corrupts', 'The next kernel revives the region, and both owners write over each other.', 'lab'),
  'memblock/size-unaligned': always(
    'warns',
    'The next kernel revives the region only if its own command line says exactly this size ("has wrong size" otherwise).',
    'source',
  ),

  'memfd/flags': always('ignored', 'No release up to 7.3 looks at it.', 'source'),
  'memfd/folio-clean': always('corrupts', 'Contents may be lost after the update, under memory pressure.', 'source'),
  'memfd/folio-count': always('corrupts', 'The next kernel reads beyond the area: it faults, or inserts whatever pages the bytes there name.', 'source'),
  'memfd/folio-flags': always(
    'corrupts',
    'A folio that is not dirty may be dropped under memory pressure, and its contents are lost; one that is not up to date reads zeros.',
    'source',
  ),
  'memfd/folio-is-structure': always(
    'corrupts',
    'The page is restored twice: the first restore gets it, the second warns in kho_restore_page() and fails; the file may show the structure’s bytes.',
    'source',
  ),
  'memfd/folio-none': always('corrupts', 'The entry is skipped: the file reads zeros there, and the page stays reserved.', 'source'),
  'memfd/folio-order': always(
    'corrupts',
    'The folio is inserted with the length that the map has: pages of the file read zeros, or it covers other pages.',
    'lab',
  ),
  'memfd/folios-hidden': always(
    'corrupts',
    'The file is retrieved without these folios: it reads zeros where they were, and their pages stay reserved.',
    'source',
  ),
  'memfd/folios-missing': always('ignored', 'Entries with pfn 0 are skipped, and the file is whole (seen with 7.1.13, 7.2.13 and 7.3.4).', 'lab'),
  'memfd/hole': always('corrupts', 'The file is retrieved, and reads zeros there.', 'lab'),
  'memfd/index-beyond-size': always('corrupts', 'The page is inserted where nobody can read it, and what belongs there reads zeros.', 'source'),
  'memfd/index-order': always(
    'retrieve-fails',
    'Inserting a folio over another fails with EEXIST; the file is dropped, and the later folios are freed.',
    'source',
    'EEXIST',
  ),
  'memfd/no-seals': always('ignored', 'The files come back unsealed, and cannot be sealed any more.', 'source'),
  'memfd/noexec-seals': always('corrupts', 'The contents are intact, but writes and writable shared mappings fail with EPERM.', 'lab', 'EPERM'),
  'memfd/position': always('ignored', 'The next kernel does not accept the position, does not say so, and leaves it at 0.', 'source'),
  'memfd/seals-unknown': always(
    'retrieve-fails',
    'RETRIEVE_FD gives EOPNOTSUPP, now and on every further try, and the contents are discarded.',
    'lab',
    'EOPNOTSUPP',
  ),
  'memfd/size': always('corrupts', 'The size is taken as it is: reads and mappings of the file behave as for a negative or absurd size.', 'source'),
  'memfd/size-small': always('corrupts', 'The file comes back shorter than it was; what lies past its end cannot be read.', 'source'),

  'moment/liveupdate-off': always(
    'open-fails',
    'The data was checked (and could have panicked the kernel), but /dev/liveupdate cannot be used: sessions and files are out of reach until the next reboot, and lost then.',
    'lab',
    'ENOENT',
  ),
  'moment/not-taken-up': always('open-fails', 'The preserved memory stays reserved, and nobody can reach it: /dev/liveupdate is not there.', 'lab', 'ENOENT'),
  'moment/refused': always('cold-boot', 'It booted as if nothing had been handed over; sessions and files are lost.', 'lab'),

  'owner/file-without-mapping': always('leaks', 'Nobody retrieves the file; FINISH discards it, and its contents are lost without a message.', 'source'),
  'owner/mapping': always(
    'leaks',
    'The kernel hands every file over; systemd skips the mapping, no unit gets its descriptors back, and FINISH discards them.',
    'source',
  ),
  'owner/session-missing': always('retrieve-fails', 'RETRIEVE_SESSION fails; systemd warns, and the unit starts without the session.', 'source', 'ENOENT'),
  'owner/token-without-file': always(
    'retrieve-fails',
    'RETRIEVE_FD of the token fails; systemd warns and goes on, and the unit starts without the descriptor.',
    'source',
    'ENOENT',
  ),
  'owner/vm-incomplete': always(
    'unknown',
    'The kernel hands over what is there; the VMM fails to put the machine together, or falls back to its memory alone.',
    'source',
  ),

  'pci/domain': always('leaks', 'No device has the address; the entry is never claimed.', 'source'),
  'pci/emptied-slot': always('corrupts', 'The device is not treated as preserved: its bus may be renumbered, and its bus mastering switched off.', 'source'),
  'pci/list': always('panic', 'The PCI core panics on a list it cannot restore, and on devices that are left unfinished (as its mails have it).', 'derived'),
  'pci/listed-twice': always('panic', 'The PCI core panics on duplicates (as its mails have it).', 'derived'),
  'pci/not-in-a-file': always('panic', 'Nobody finishes the device; the PCI core panics over devices left unfinished (as its mails have it).', 'derived'),
  'pci/refcount': always('leaks', 'The count does not fall to 0 when its file is finished.', 'source'),
  'pci/room': always('corrupts', 'The next kernel reads as many slots as the header says, whatever is there.', 'source'),
  'pci/sums': always(
    'panic',
    'FINISH takes one reference off the device and every bridge above it; what is left at the end panics: "… preserved device(s) were never finished!".',
    'source',
  ),
  'pci/version': always(
    'panic',
    '"Incoming PCI FLB version (v…) is incompatible with this kernel (v2)". Releases up to 7.3 have no PCI core that reads it.',
    'source',
  ),

  'scratch/alignment': always('warns', 'Page blocks at the edge of the area get a wrong migrate type.', 'source'),
  'scratch/node-size': always('cold-boot', 'The next kernel finds no handover, and boots as if there were none.', 'lab'),
  'scratch/overlap': always('corrupts', 'The next kernel counts the pages twice; seen with 7.3.4 it came up all the same.', 'lab'),
  'scratch/two-names': always('unknown', 'A kernel that knows the other name boots in memory that a kernel before had set aside.', 'source'),
  'scratch/unusable': always('panic', 'The next kernel has no other memory while it boots: it dies before its console speaks.', 'lab'),

  'session/duplicate': closed('"Failed to insert session […] -EEXIST".'),
  'session/empty-entry': closed('A file without a handler: "No registered handler for compatible".'),
  'session/hidden-entry': always(
    'retrieve-fails',
    'What is hidden is lost without a message: who asks for it gets ENOENT, and its memory stays reserved.',
    'source',
    'ENOENT',
  ),
  'session/name': always('retrieve-fails', 'The session is made under no name, or one cut to 63 bytes: RETRIEVE_SESSION does not find it.', 'source', 'ENOENT'),
  'session/name-trailing': always(
    'ignored',
    'The kernel reads up to the first NUL: if the name was cut, RETRIEVE_SESSION does not find the session under its own.',
    'source',
  ),
  'session/no-files-area': closed('"File count mismatch".'),
  'session/count-of-none': always(
    'warns',
    'luo_file_deserialize() warns and goes on (seen with 7.3.4): the session comes back without files, and no list of files is preserved that it could have had.',
    'lab',
  ),
  'session/files-null': always(
    'retrieve-fails',
    'luo_file_deserialize() warns and goes on (seen with 7.1.13 and 7.3.4): the session comes back without files, and RETRIEVE_FD gives ENOENT.',
    'lab',
    'ENOENT',
  ),

  'vfio/domain': always(
    'retrieve-fails',
    'No device of this machine has the address: RETRIEVE_FD fails with ENODEV, and a session with it cannot be finished.',
    'source',
    'ENODEV',
  ),
  'vfio/listed-twice': always(
    'retrieve-fails',
    'The first file retrieved gets the device; the second finds it in use, or gets another device than it was made for.',
    'lab',
    'EBUSY',
  ),
  'vfio/no-pci-list': always('corrupts', 'The next kernel may give the device’s bus another number, and does not keep its bus mastering.', 'source'),
  'vfio/not-in-pci-list': always(
    'retrieve-fails',
    'The device at this address was not preserved: RETRIEVE_FD fails with ENODEV, or takes a device whose state was lost.',
    'source',
    'ENODEV',
  ),
  'vfio/unfinished': always(
    'finish-fails',
    'FINISH gives EBUSY as long as the device is not retrieved; closing the session then strands it until the next reboot.',
    'source',
    'EBUSY',
  ),

  'vmalloc/flags': always('ignored', 'The area is restored all the same (seen with 7.1.13, 7.2.13 and 7.3.4).', 'lab'),
  'vmalloc/not-allocated': always('leaks', 'The area is restored, but its pages are not freed with it.', 'source'),
  'vmalloc/not-empty': always('ignored', 'The descriptor of an empty file is never read.', 'source'),
  'vmalloc/not-restored': always(
    'retrieve-fails',
    'kho_restore_vmalloc() gives NULL: RETRIEVE_FD of the file fails with EINVAL, now and on every further try, and its contents are lost.',
    'source',
    'EINVAL',
  ),

  'blocks/devices-not-restored': always('panic', 'The PCI core panics when it cannot restore its list of preserved devices (as its mails have it).', 'derived'),
  'blocks/sessions-not-restored': [
    [
      '6.16',
      outcome(
        'open-fails',
        'The first open of /dev/liveupdate reads the area; 6.19 takes what it finds, 7.1 fails with EIO where an entry makes no sense.',
        'source',
        'EIO',
      ),
    ],
    [
      '7.2',
      outcome(
        'panic',
        'The list of sessions is restored in early boot: "Block contains invalid entry count" or "Block set is corrupted", and the kernel panics. A pointer is followed without a check.',
        'lab',
      ),
    ],
  ],
  'blocks/files-not-restored': [
    [
      '6.16',
      outcome(
        'open-fails',
        'The kernel reads as many entries as the count says, whatever is there: a handler that does not exist then fails the open with EIO.',
        'source',
        'EIO',
      ),
    ],
    [
      '7.2',
      outcome(
        'open-fails',
        'The files of a session are read on the first open of /dev/liveupdate: every open fails with EIO until the next reboot, and no session can be retrieved.',
        'lab',
        'EIO',
      ),
    ],
  ],
  'session/nameless': always('ignored', 'A session without a name is made; all others can be retrieved (seen with 7.1.13 and 7.3.4).', 'lab'),
  'flb/empty-name': always('ignored', 'An empty entry has no name that anybody asks for.', 'source'),
  'flb/nothing-there': always('retrieve-fails', 'The owner of this object finds nothing at the address.', 'source', 'EINVAL'),
  'kho/map-read-past-page': always(
    'panic',
    'The next kernel reads past the end of the page: what is there is taken for addresses of bitmaps, and it faults before the console speaks.',
    'lab',
  ),
  'vmalloc/kho-test': always('warns', 'The KHO test reports that it could not restore its data; nothing else depends on it.', 'source'),

  // a subtree that cannot be read, by who reads it
  'subtree/LUO': always(
    'panic',
    'liveupdate_early_init() accepts only a missing LUO subtree; anything else that keeps it from being read panics the next kernel ("The incoming tree failed to initialize properly").',
    'source',
  ),
  'subtree/memblock': always(
    'warns',
    'reserve_mem= regions are not revived: the next kernel allocates them afresh, and their old contents stay in memory, unreachable.',
    'source',
  ),
  'subtree/kexec-metadata': always('ignored', 'Only the message "exec from" is missing in the next kernel.', 'source'),
  'subtree/kho_test': always('warns', "The kernel's own KHO test reports a failure; nothing else depends on it.", 'source'),
  'subtree/other': always('unknown', 'What reads this subtree in the next kernel gets an error (EINVAL or ENOENT).', 'derived'),

  // a structure whose page the next kernel does not leave alone
  'not-preserved/vmalloc': always(
    'retrieve-fails',
    'kho_restore_vmalloc() warns in kho_restore_page() and gives NULL: the file cannot be retrieved, and its contents are lost.',
    'source',
    'EINVAL',
  ),
  'not-preserved/memfd': always(
    'retrieve-fails',
    'By the time the file is retrieved its description may have been overwritten; giving the page back warns in kho_restore_page().',
    'source',
    'EINVAL',
  ),
  'not-preserved/struct': always(
    'retrieve-fails',
    'Its owner finds other data at the address, or warns in kho_restore_page() when it gives the page back.',
    'source',
    'EINVAL',
  ),
  'not-preserved/page': always(
    'corrupts',
    'The next kernel may hand the page to somebody else before it reads it; what it reads then decides: a panic, an error on opening /dev/liveupdate, or nothing at all.',
    'source',
  ),
});

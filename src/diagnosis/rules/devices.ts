/**
 * Rules about preserved PCI devices: the VFIO files of sessions, and the PCI core's own list. No release has either; sources
 * are the mail series named and a 7.3.4 kernel with them applied.
 */
import { sizeOf } from '../../codec/layout-table.js';
import type { LuoFile, LuoSession } from '../../handover/luo.js';
import { hex } from '../../tree/words.js';
import { type PciDevices, integer, pciAddress } from '../../handover/pci.js';
import type { StructPayload } from '../../handover/payload.js';
import { type HandoverRule, type Hit, hit, wrong } from '../rule.js';
import { type Subject, isIntact, isWithin } from '../subject.js';
import { filesOf } from './sessions.js';
import type { Handover } from '../../handover/decode.js';
import { versionsIn } from '../../handover/pci-variant.js';

const VFIO = 'mail series "vfio/pci: Base Live Update support", v3 to v5, 2026';
const PCI = 'mail series "PCI: liveupdate: PCI core support for Live Update", v7 to v9, 2026';

/** More domains than a machine has: Linux numbers the first made-up one 0x10000. */
const MAX_DOMAIN = 0x1ffff;

interface VfioFile {
  readonly session: LuoSession;
  readonly file: LuoFile;
  readonly payload: StructPayload;
  readonly domain: number;
  readonly bdf: number;
}

/** The VFIO files that could be decoded. */
function vfioFiles(subject: Subject): readonly VfioFile[] {
  if (!isIntact(subject)) return [];
  return filesOf(subject).flatMap(({ session, file }) => {
    const payload = file.decoded;
    if (payload?.kind !== 'struct' || payload.contract.layer !== 'vfio-pci' || payload.reading.values === null) return [];
    const bdf = integer(payload.reading.values, 'bdf');
    if (bdf === null) return [];
    return [{ session, file, payload, domain: Number(integer(payload.reading.values, 'domain') ?? 0n), bdf: Number(bdf) }];
  });
}

/** None where files or devices were left unread: they are held against each other. */
const pciLists = (subject: Subject): readonly PciDevices[] =>
  isIntact(subject) && isWithin(subject, ['entries'])
    ? (subject.handover.luo?.flbs ?? []).flatMap((flb) => (flb.decoded?.kind === 'pci' ? [flb.decoded] : []))
    : [];

/** Is an FLB of the PCI core listed, which the series has from v3 on? */
const listsDevices = (subject: Subject): boolean =>
  (subject.handover.luo?.flbs ?? []).some((flb) => subject.dump.contracts.named(flb.name.text).some((contract) => contract.layer === 'pci'));

const hasVfio = (subject: Subject): boolean =>
  filesOf(subject).some(({ file }) => subject.dump.contracts.named(file.compatible.text).some((contract) => contract.layer === 'vfio-pci'));

export const deviceRules: readonly HandoverRule[] = [
  {
    id: 'vfio/listed-twice',
    severity: 'error',
    phase: 'retrieve',
    title: 'a device is preserved by two files',
    about: 'A device is preserved once (EBUSY for the second file), so two files naming the same domain and bdf mean that one of them is damaged.',
    reaction: 'vfio/listed-twice',
    confirm: 'List the VFIO files in the report.',
    sources: [VFIO, 'seen with the series on 7.3.4: EBUSY'],
    *check(subject) {
      const seen = new Map<string, string>();
      for (const { session, file, payload, domain, bdf } of vfioFiles(subject)) {
        const address = pciAddress(domain, bdf);
        const before = seen.get(address);
        if (before !== undefined) yield hit(payload.node, `device ${address} is preserved by ${before}, too`);
        else seen.set(address, `file ${hex(file.token)} of session ${JSON.stringify(session.name.text)}`);
      }
    },
  },
  {
    id: 'vfio/domain',
    severity: 'error',
    phase: 'retrieve',
    title: 'PCI domain of a preserved device is impossible',
    about: 'PCI segments have 16 bits; Linux numbers the domains it makes up itself from 0x10000 on.',
    reaction: 'vfio/domain',
    confirm: 'Compare with lspci -D.',
    sources: [VFIO],
    *check(subject) {
      for (const { payload, domain } of vfioFiles(subject)) {
        if (domain > MAX_DOMAIN) yield hit(payload.reading.field('domain'), `domain is ${hex(domain)}, which no machine has`);
      }
    },
  },
  {
    id: 'vfio/not-in-pci-list',
    severity: 'error',
    phase: 'retrieve',
    title: 'a preserved device is not in the PCI core’s list',
    about:
      'The PCI core records every device that vfio-pci preserves, so that the next kernel keeps its bus numbers and its bus mastering. A device that only the file names was changed in one of the two.',
    reaction: 'vfio/not-in-pci-list',
    confirm: 'Compare the VFIO files with the devices of the pci FLB in the report.',
    sources: [VFIO, PCI],
    *check(subject) {
      const lists = pciLists(subject);
      if (lists.length === 0) return;
      const listed = new Set(lists.flatMap((list) => list.devices.map(({ domain, bdf }) => pciAddress(domain, bdf))));
      for (const { payload, domain, bdf } of vfioFiles(subject)) {
        if (!listed.has(pciAddress(domain, bdf)))
          yield hit(payload.node, `device ${pciAddress(domain, bdf)} is not among the ${listed.size} that the PCI core lists`);
      }
    },
  },
  {
    id: 'vfio/no-pci-list',
    severity: 'info',
    phase: 'deserialise',
    title: 'devices are preserved, but the PCI core lists none',
    about:
      'In the series from v3 on, preserving a device records it with the PCI core in an FLB called pci-v1, pci-v2, pci-v3 or pci. Patch 07/24 alone has none.',
    reaction: 'vfio/no-pci-list',
    confirm: 'List the FLBs in the report.',
    sources: [PCI],
    *check(subject) {
      const { luo } = subject.handover;
      if (luo === null || luo.flbs === null || !isIntact(subject) || !isWithin(subject, ['entries']) || !hasVfio(subject)) return;
      if (listsDevices(subject)) return;
      yield { message: 'a session holds a VFIO device, but no FLB of the PCI core is listed', at: luo.node.address, path: `${luo.node.path}/flbs` };
    },
  },
  {
    id: 'vfio/unfinished',
    severity: 'info',
    phase: 'finish',
    title: 'a session holds a device: it can be finished only once the device was retrieved',
    about:
      'With the whole series, from v3 on, can_finish() refuses while a device was not retrieved, from v5 on also until it was opened again through its character device. Patch 07/24 alone has no can_finish(), and records no device with the PCI core.',
    reaction: 'vfio/unfinished',
    confirm: 'FINISH of the session before RETRIEVE_FD of the device.',
    sources: [VFIO],
    *check(subject) {
      if (!listsDevices(subject)) return;
      for (const { session, file, domain, bdf } of vfioFiles(subject)) {
        yield hit(
          file.node,
          `session ${JSON.stringify(session.name.text)} cannot be finished before device ${pciAddress(domain, bdf)} (file ${hex(file.token)}) is retrieved`,
        );
      }
    },
  },
  {
    id: 'pci/list',
    severity: 'error',
    phase: 'deserialise',
    title: 'the PCI core’s list of devices contradicts itself',
    about: 'The header counts the slots and those in use; slots with refcount 0 are empty.',
    reaction: 'pci/list',
    confirm: 'Show the list in hex.',
    sources: [PCI],
    check: (subject) => wrong(subject, 'device'),
  },
  {
    id: 'pci/listed-twice',
    severity: 'error',
    phase: 'deserialise',
    title: 'the PCI core lists a device twice',
    about: 'Each device has one slot.',
    reaction: 'pci/listed-twice',
    confirm: 'List the devices of the pci FLB in the report.',
    sources: [PCI],
    *check(subject) {
      for (const list of pciLists(subject)) {
        const seen = new Set<string>();
        for (const { domain, bdf, reading } of list.devices) {
          const address = pciAddress(domain, bdf);
          if (seen.has(address)) yield hit(reading.node, `device ${address} was listed before`);
          seen.add(address);
        }
      }
    },
  },
  {
    id: 'pci/domain',
    severity: 'error',
    phase: 'deserialise',
    title: 'PCI domain in the PCI core’s list is impossible',
    about: 'PCI segments have 16 bits; Linux numbers the domains it makes up itself from 0x10000 on.',
    reaction: 'pci/domain',
    confirm: 'Compare with lspci -D.',
    sources: [PCI],
    *check(subject) {
      for (const list of pciLists(subject)) {
        for (const { domain, reading } of list.devices)
          if (domain > MAX_DOMAIN) yield hit(reading.field('domain'), `domain is ${hex(domain)}, which no machine has`);
      }
    },
  },
  {
    id: 'pci/not-in-a-file',
    severity: 'warning',
    phase: 'finish',
    title: 'the PCI core lists a device that no session holds',
    about: 'A device gets into the list with the file that preserves it. From pci-v3 on bridges above it are listed, too, with the number of devices below.',
    reaction: 'pci/not-in-a-file',
    confirm: 'Compare the VFIO files with the devices of the pci FLB in the report.',
    sources: [PCI],
    check: unheld,
  },
  {
    id: 'pci/refcount',
    severity: 'warning',
    phase: 'finish',
    title: 'the PCI core counts more users of a device than files hold it',
    about: 'Before pci-v3 an entry’s refcount is 1 for a device in use; from then on it is the number of preserved devices at or below it.',
    reaction: 'pci/refcount',
    confirm: 'Show the entry in hex.',
    sources: [PCI],
    *check(subject) {
      const files = vfioFiles(subject).length;
      for (const list of pciLists(subject)) {
        for (const { refcount, reading, domain, bdf } of list.devices) {
          if (refcount !== null && refcount > Math.max(1, files))
            yield hit(reading.field('refcount'), `refcount of ${pciAddress(domain, bdf)} is ${refcount}, for ${files} files in all`);
        }
      }
    },
  },
  {
    id: 'pci/emptied-slot',
    severity: 'warning',
    phase: 'deserialise',
    title: 'a slot of the PCI core’s list names a device, but counts as empty',
    about: 'A slot with refcount 0 is skipped. Where fewer slots are in use than the header says, one that still names a device was emptied by mistake.',
    reaction: 'pci/emptied-slot',
    confirm: 'Show the slot in hex.',
    sources: [PCI],
    *check(subject) {
      for (const list of pciLists(subject)) {
        if (BigInt(list.devices.length) >= list.claimed) continue;
        for (const slot of list.node.children()) {
          const named = slot.children().some(({ name, value }) => (name === 'domain' || name === 'bdf') && value !== null && Number(value) !== 0);
          const empty = slot.children().some(({ name, value }) => name === 'refcount' && Number(value) === 0);
          if (named && empty) yield hit(slot, `${list.claimed} slots should be in use, ${list.devices.length} are; this one names a device, with refcount 0`);
        }
      }
    },
  },
  {
    id: 'pci/room',
    severity: 'warning',
    phase: 'preserve',
    title: 'the PCI core’s list does not add up',
    about: 'max_nr_devices says how many slots there are: never less than are in use, and no more than the pages preserved for them hold.',
    reaction: 'pci/room',
    confirm: 'Compare max_nr_devices with the order of the preserved block.',
    sources: [PCI],
    check: room,
  },
];

function* unheld(subject: Subject): Iterable<Hit> {
  const held = new Set(vfioFiles(subject).map(({ domain, bdf }) => pciAddress(domain, bdf)));
  for (const list of pciLists(subject)) {
    const bridges = list.contract.compatible !== 'pci-v1' && list.contract.compatible !== 'pci-v2';
    for (const { domain, bdf, reading } of list.devices) {
      if (!held.has(pciAddress(domain, bdf)) && !bridges)
        yield hit(reading.node, `device ${pciAddress(domain, bdf)} is listed, but no file of a session names it`);
    }
  }
}

function* room(subject: Subject): Iterable<Hit> {
  const { map } = subject.handover;
  const { pageSize } = subject.dump.memory;
  for (const list of pciLists(subject)) {
    const { values, address, struct } = list.reading;
    const slots = values === null ? null : integer(values, 'max_nr_devices');
    const entry = list.contract.structs[1];
    if (slots === null || address === null || map === null || entry === undefined || map.ordersAt(address)[0] === undefined) continue;
    const node = list.reading.field('max_nr_devices');
    if (slots < list.claimed) {
      yield hit(node, `max_nr_devices is ${slots}, but ${list.claimed} are said to be in use`);
      continue;
    }
    let bytes = 0;
    for (let order = map.ordersAt(address)[0]; order !== undefined && bytes < pageSize * MAX_LIST_PAGES; order = map.ordersAt(address + bytes)[0])
      bytes += pageSize * 2 ** order;
    const holds = Math.floor((bytes - sizeOf(struct)) / sizeOf(entry));
    if (slots > BigInt(holds)) yield hit(node, `max_nr_devices is ${slots}, but the block preserved at ${hex(address)} holds ${holds}`);
  }
}

/** Pages looked at after a list's first; more than all PCI functions of a machine need. */
const MAX_LIST_PAGES = 4096;

const SOURCE = 'drivers/pci/liveupdate.c, branch lu-pci-preservation, 28 Sep 2026';

/** Lists whose version is in the data. */
const lists = ({ luo }: Handover): readonly PciDevices[] =>
  (luo?.flbs ?? []).flatMap(({ decoded }) => (decoded?.kind === 'pci' && versionsIn(decoded.contract).length > 0 ? [decoded] : []));

const isVersion2 = (list: PciDevices): boolean => list.reading.integer('version') === 2n;

/** Addresses of the devices that files hold; null where a device file could not be decoded. */
function heldDevices({ luo }: Handover): ReadonlySet<string> | null {
  const held = new Set<string>();
  for (const { files } of luo?.sessions ?? []) {
    for (const { compatible, decoded } of files) {
      if (!compatible.text.startsWith('vfio')) continue;
      const values: Readonly<Record<string, unknown>> | null = decoded?.kind === 'struct' ? decoded.reading.values : null;
      if (typeof values?.domain !== 'number' || typeof values.bdf !== 'number') return null;
      held.add(pciAddress(values.domain, values.bdf));
    }
  }
  return held;
}

function* versions(subject: Subject): Iterable<Hit> {
  for (const list of lists(subject.handover)) {
    const version = list.reading.integer('version');
    if (version === null || version === 2n) continue;
    const node = list.reading.field('version');
    if (version === 1n)
      yield {
        ...hit(node, 'version is 1, which only the first commits of the queued series wrote; the queue (expected in 7.4) has version 2'),
        severity: 'warning',
      };
    else yield hit(node, `version is ${version}, the queued series has 2`);
  }
}

function* counts(subject: Subject): Iterable<Hit> {
  if (!isIntact(subject) || !isWithin(subject, ['entries'])) return;
  const held = heldDevices(subject.handover);
  for (const list of lists(subject.handover)) {
    for (const { domain, bdf, refcount, reading } of list.devices) {
      const address = pciAddress(domain, bdf);
      const node = reading.field('refcount');
      if (!isVersion2(list)) {
        if (refcount !== null && refcount > 1) yield hit(node, `refcount of ${address} is ${refcount}: version 1 has no bridges, so it is always 1`);
        continue;
      }
      if (held === null || held.size === 0 || refcount === null) continue;
      if (held.has(address)) {
        // A device that a file holds has nothing below it, unless it is a bridge that a driver preserved itself.
        if (refcount > held.size) yield hit(node, `refcount of ${address} is ${refcount}, but files hold ${held.size} devices in all`);
      } else if (refcount > held.size)
        yield hit(node, `bridge ${address} counts ${refcount} preserved devices at or below it, but files hold ${held.size} in all`);
    }
    if (!isVersion2(list) || held === null) continue;
    const listed = new Set(list.devices.map(({ domain, bdf }) => pciAddress(domain, bdf)));
    for (const address of held) if (!listed.has(address)) yield hit(list.node, `device ${address} is held by a file, but the PCI core does not list it`);
  }
}

export const pciBridgeRules: readonly HandoverRule[] = [
  {
    id: 'pci/version',
    severity: 'error',
    phase: 'early boot',
    title: 'the FLB "pci" is of a version that the queued PCI core does not read',
    about: 'The string "pci" has no number: the version is the first field of the data, and its place never moves. Versions 1 and 2 have the same bytes.',
    reaction: 'pci/version',
    confirm: 'Look for "Incoming PCI FLB version" in the log of the next kernel.',
    sources: [SOURCE],
    check: versions,
  },
  {
    id: 'pci/sums',
    severity: 'error',
    phase: 'finish',
    title: 'the PCI core’s reference counts do not add up',
    about:
      'In version 2 every bridge above a preserved device is listed, and counts the preserved devices at or below it. No count is larger than the number of devices that files hold, and every one of these is listed.',
    reaction: 'pci/sums',
    confirm: 'Compare with lspci -t of the machine: who is whose parent cannot be told from the entries.',
    sources: [SOURCE],
    check: counts,
  },
];

/** Rules about the PCI core's FLB "pci", versions 1 and 2: the version in the data, bridges, reference counts. Source: drivers/pci/liveupdate.c at f6590754926e, branch lu-pci-preservation, 28 Sep 2026. */
import type { Handover } from '../../handover/decode.js';
import { type PciDevices, pciAddress } from '../../handover/pci.js';
import { versionsIn } from '../../handover/pci-variant.js';
import { type HandoverRule, type Hit, hit } from '../rule.js';
import { type Subject, isIntact } from '../subject.js';

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
  if (!isIntact(subject)) return;
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

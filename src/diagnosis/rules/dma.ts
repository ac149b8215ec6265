/** Can a device still write there? Preserved IOMMU page tables stay in force through the kexec: every page they reach must be preserved, and somebody's. Source: mail series "iommu: Add live update state preservation", v5, 21 Sep 2026. */
import type { Handover } from '../../handover/decode.js';
import { type DmaDomain, dmaDomains } from '../../handover/dma/domains.js';
import { type Ledger, readLedger } from '../../handover/ledger/ledger.js';
import { formatBytes, hex } from '../../tree/words.js';
import { type HandoverRule, type Hit, hit } from '../rule.js';
import { type Subject, isIntact } from '../subject.js';

const SOURCE = 'mail series "iommu: Add live update state preservation", v5, 21 Sep 2026, Samiullah Khawaja';

/** What the domains of a handover reach, in stretches that are alike. */
interface Reached {
  readonly domain: DmaDomain;
  readonly iova: number;
  /** physical, bytes */
  readonly address: number;
  /** bytes */
  size: number;
  readonly state: 'not-preserved' | 'nobody';
}

interface Survey {
  readonly domains: readonly DmaDomain[];
  readonly ledger: Ledger | null;
  readonly reached: readonly Reached[];
  /** table pages that are not preserved, with their domain */
  readonly tables: readonly { readonly domain: DmaDomain; readonly address: number }[];
  /** did a limit end the comparison? */
  readonly cut: boolean;
}

/** Pages compared with the map in all. */
const MAX_PAGES = 1 << 24;
/** Stretches kept. */
const MAX_REACHED = 4096;

const surveys = new WeakMap<Handover, Survey>();

function survey(subject: Subject): Survey {
  const { handover, dump } = subject;
  const known = surveys.get(handover);
  if (known !== undefined) return known;
  const domains = dmaDomains(handover.luo?.flbs ?? [], dump.memory);
  const walked = domains.some(({ walk }) => walk !== null);
  const ledger = walked && isIntact(subject) && handover.map?.complete === true ? readLedger(handover, dump.memory) : null;
  const found = ledger === null ? { reached: [], tables: [], cut: false } : compare(domains, ledger);
  const made = { domains, ledger, ...found };
  surveys.set(handover, made);
  return made;
}

function compare(domains: readonly DmaDomain[], ledger: Ledger): Pick<Survey, 'reached' | 'tables' | 'cut'> {
  const reached: Reached[] = [];
  const tables: { domain: DmaDomain; address: number }[] = [];
  let left = MAX_PAGES;
  for (const domain of domains) {
    for (const address of domain.walk?.tables ?? []) if (ledger.ownerAt(address) === null) tables.push({ domain, address });
    for (const { iova, address, size, writable } of domain.walk?.mappings ?? []) {
      if (!writable) continue;
      for (let done = 0; done < size; ) {
        if (left-- <= 0) return { reached, tables, cut: true };
        const at = address + done;
        const step = Math.min(size - done, ledger.pageSize - (at % ledger.pageSize));
        const owner = ledger.ownerAt(at);
        const state = owner === null ? 'not-preserved' : owner.kind === 'nobody' ? 'nobody' : null;
        const last = reached.at(-1);
        if (state !== null) {
          if (last !== undefined && last.domain === domain && last.state === state && last.iova + last.size === iova + done && last.address + last.size === at)
            last.size += step;
          else if (reached.length < MAX_REACHED) reached.push({ domain, iova: iova + done, address: at, size: step, state });
          else return { reached, tables, cut: true };
        }
        done += step;
      }
    }
  }
  return { reached, tables, cut: false };
}

const whoOf = ({ devices }: DmaDomain): string =>
  devices.length === 0
    ? 'a domain without a device'
    : `device${devices.length === 1 ? '' : 's'} ${devices.slice(0, 4).join(', ')}${devices.length > 4 ? ` and ${devices.length - 4} more` : ''}`;

function* stretches(subject: Subject, state: Reached['state'], says: string): Iterable<Hit> {
  for (const { domain, iova, address, size, state: own } of survey(subject).reached) {
    if (own !== state) continue;
    const message = `${whoOf(domain)} can write at IOVA ${hex(iova)} to the ${formatBytes(size)} at ${hex(address)}, ${says}`;
    yield { ...hit(domain.node, message), at: address };
  }
}

export const dmaRules: readonly HandoverRule[] = [
  {
    id: 'dma/not-preserved',
    severity: 'error',
    phase: 'jump',
    title: 'a device can write to memory that is not preserved',
    about:
      'A preserved IOMMU domain stays in force: its devices go on with their DMA while no kernel runs, and into the next one. Memory they reach that is not preserved is free memory to that kernel.',
    reaction: 'dma/not-preserved',
    confirm: 'Walk the page table of the domain in hex from its top table, by the IOVA.',
    sources: [SOURCE, 'Intel Virtualization Technology for Directed I/O, rev. 4.1, 9.7 and 9.8'],
    check: (subject) => stretches(subject, 'not-preserved', 'which is not preserved'),
  },
  {
    id: 'dma/table-not-preserved',
    severity: 'error',
    phase: 'jump',
    title: 'a page of an IOMMU’s page table is not preserved',
    about: 'The IOMMU reads its tables all the time. A table page that the next kernel takes for free memory becomes a table of whatever is written there.',
    reaction: 'dma/table-not-preserved',
    confirm: 'Compare the page with the preserved map in the report.',
    sources: [SOURCE],
    *check(subject) {
      for (const { domain, address } of survey(subject).tables)
        yield { ...hit(domain.node, `the page table of ${whoOf(domain)} has a page at ${hex(address)}, which is not preserved`), at: address };
    },
  },
  {
    id: 'dma/nobody',
    severity: 'warning',
    phase: 'finish',
    title: 'a device can write to preserved memory that no decoded structure owns',
    about: 'The memory stays reserved, so nothing else is overwritten; but no file, region or FLB decoded here has it, and nobody gets what the device writes.',
    reaction: 'dma/nobody',
    confirm: 'luo-inspect ledger lists who has which pages.',
    sources: [SOURCE],
    check: (subject) => stretches(subject, 'nobody', 'which is preserved, but which nothing decoded here owns'),
  },
  {
    id: 'dma/not-walked',
    severity: 'info',
    phase: 'jump',
    title: 'what a device can reach is not known, or not all of it',
    about:
      'Only VT-d page tables that are in the dump are walked. No form of what is preserved names an AMD IOMMU, and of an SMMUv3’s tables neither stage nor granule is in it; of a VM’s own page tables (TDP) the list does not say which page is the root.',
    reaction: null,
    confirm: 'Take a dump with the tables.',
    sources: [SOURCE],
    check: notWalked,
  },
];

function* notWalked(subject: Subject): Iterable<Hit> {
  const { domains, ledger, cut } = survey(subject);
  for (const domain of domains) {
    if (domain.why !== null) yield hit(domain.node, `what ${whoOf(domain)} can reach was not walked: ${domain.why}`);
    for (const text of domain.walk?.unwalked ?? []) yield hit(domain.node, `what ${whoOf(domain)} can reach is not known in full: ${text}`);
    if (domain.walk?.cut === true)
      yield { ...hit(domain.node, `the page table of ${whoOf(domain)} has more tables than are walked: the rest is not known`), severity: 'error' };
  }
  const [first] = domains.filter(({ walk }) => walk !== null);
  if (first !== undefined && ledger === null)
    yield hit(first.node, 'the preserved map is not in this dump, or not whole: what devices can reach was not held against it');
  if (first !== undefined && cut)
    yield { ...hit(first.node, 'devices reach more memory than is compared with the map: the rest was not checked'), severity: 'error' };
  for (const session of subject.handover.luo?.sessions ?? []) {
    for (const file of session.files) {
      if (file.decoded?.kind === 'struct' && file.decoded.node.children().some(({ name }) => name === 'kvm_kho_folios_ser'))
        yield hit(file.node, `what vCPUs of VM ${hex(file.token)} can write was not walked: the list of its table pages does not say which is the root`);
    }
  }
}

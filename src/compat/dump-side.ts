/**
 * A dump as one side of a comparison. Handing over, it stands for what was written, and for nothing else; taking over, for
 * the kernel that runs in it: its release, what it writes itself, and whether it was told to take over at all.
 */
import { NEWEST } from '../../abi/behaviour/facts.js';
import type { Release } from '../../abi/contract.js';
import { isSince, releaseOf, releases, spokenBy } from '../../abi/registry.js';
import { UserError } from '../codec/user-error.js';
import type { Contracts } from '../handover/contracts.js';
import type { DecodedDump, Handover } from '../handover/decode.js';
import { partsOf } from './release-side.js';
import type { Part, Side } from './side.js';
import { khoTestContract, mapContract, writtenParts } from './written.js';

/** What the comparison needs of a container. */
export interface DumpSource {
  readonly path: string;
  /** in bytes */
  readonly pageSize: number;
  /** utsname release of the kernel that runs in the dump; null where the dump does not say it */
  readonly runningRelease: string | null;
}

interface Told {
  readonly releases: readonly Release[];
  readonly by: string;
}

/** What was written. @throws UserError where the dump holds no handover */
export function handingOver(source: DumpSource, decoded: DecodedDump): Side {
  const handover = decoded.handovers[0] ?? null;
  if (handover === null) throw nothingIn(source, decoded);
  const told = writerOf(source, handover, decoded.contracts);
  const written = writtenParts(handover, told.releases, decoded.contracts);
  return {
    label: source.path,
    kind: 'dump',
    description: `dump, what ${handover.path} holds, written by ${told.releases.join(' or ')}`,
    releases: told.releases,
    ...written,
    pageSize: source.pageSize,
    switches: { kho: true, liveupdate: true },
    evidence: [`${source.path}: what its ${handover.path} handover holds (${handover.roleEvidence})`, `${source.path}: ${told.by}`],
  };
}

/** The kernel that runs in it. @throws UserError where nothing tells which it is */
export function takingOver(source: DumpSource, decoded: DecodedDump): Side {
  const outgoing = decoded.handovers.find((handover) => handover.role === 'outgoing') ?? null;
  const told = runningIn(source, decoded, outgoing);
  const own = outgoing === null ? { parts: [], unknown: new Map<string, string>() } : writtenParts(outgoing, told.releases, decoded.contracts);
  const named = new Set(own.parts.map((part) => part.compatible));
  const spoken: Part[] = told.releases.flatMap((release) => partsOf(release)).filter((part) => !named.has(part.compatible) || part.compatible === null);
  const single = own.parts.filter((part) => part.role !== 'handler' && part.role !== 'flb');
  const parts = [...own.parts, ...spoken.filter((part) => !single.some((other) => other.layer === part.layer))];
  const switches = switchesOf(decoded, outgoing, told.releases);
  return {
    label: source.path,
    kind: 'dump',
    description: `dump of a running kernel, ${told.releases.join(' or ')}`,
    releases: told.releases,
    parts,
    unknown: new Map(),
    pageSize: source.pageSize,
    switches,
    evidence: [`${source.path}: ${told.by}`, ...(switches.why === undefined ? [] : [`${source.path}: ${switches.why}`])],
  };
}

const nothingIn = (source: DumpSource, decoded: DecodedDump): UserError =>
  new UserError(`${source.path}: no handover found; searched ${decoded.find.searched.join(', and ')}. Give a dump of the kernel that wrote one, or a release`);

/** Who wrote a handover: by its kexec-metadata, by the running kernel, or by its versions. */
function writerOf(source: DumpSource, handover: Handover, contracts: Contracts): Told {
  const metadata = handover.kexecMetadata?.previousRelease ?? null;
  const byMetadata = metadata === null ? null : releaseOf(metadata);
  if (byMetadata !== null) return { releases: [byMetadata], by: `its kexec-metadata says that ${metadata} wrote it` };
  const running = source.runningRelease === null ? null : releaseOf(source.runningRelease);
  if (running !== null && handover.role === 'outgoing') return { releases: [running], by: `the running kernel, ${source.runningRelease}, wrote it` };
  return byVersions(handover, contracts);
}

function byVersions(handover: Handover, contracts: Contracts): Told {
  const strings = [handover.compatible, handover.luo?.compatible ?? null, handover.luo?.sessionCompatible ?? null, handover.luo?.flbCompatible ?? null];
  const fitting = releases.filter((release) => strings.every((text) => text === null || spokenBy(release).some((contract) => contract.compatible === text)));
  const form = mapContract(handover, contracts);
  const formed = fitting.filter((release) => form === null || spokenBy(release, 'kho').includes(form));
  // The kernel's own test changed with 6.18, the string of the root did not.
  const test = khoTestContract(handover);
  const tested = formed.filter((release) => test === null || spokenBy(release).includes(test));
  const told = [tested, formed, fitting].find((list) => list.length > 0) ?? [];
  if (told.length === 0) return { releases: [NEWEST], by: `no release known writes ${handover.compatible ?? 'such a root'}: judged as ${NEWEST}` };
  return { releases: told, by: `${strings.filter((text) => text !== null).join(', ')}: written by ${told.join(' or ')}` };
}

function runningIn(source: DumpSource, decoded: DecodedDump, outgoing: Handover | null): Told {
  const running = source.runningRelease === null ? null : releaseOf(source.runningRelease);
  if (running !== null) return { releases: [running], by: `${source.runningRelease} runs in it` };
  if (source.runningRelease !== null) return { releases: [NEWEST], by: `${source.runningRelease} runs in it, which is judged by what ${NEWEST} does` };
  if (outgoing !== null) return writerOf(source, outgoing, decoded.contracts);
  if (decoded.handovers[0] === undefined) throw nothingIn(source, decoded);
  throw new UserError(`${source.path}: nothing tells which kernel runs in this dump (no VMCOREINFO, no outgoing handover); name its release with --to instead`);
}

/** First release that builds its outgoing tree at boot by itself, and with LUO. */
const BUILDS_AT_BOOT: Release = '6.19';

/** kho=off and liveupdate=off show once the kernel has booted: it has no outgoing tree, or one without LUO. */
function switchesOf(decoded: DecodedDump, outgoing: Handover | null, told: readonly Release[]): Side['switches'] {
  const on = { kho: true, liveupdate: true };
  if (!told.every((release) => isSince(release, BUILDS_AT_BOOT))) return on;
  if (outgoing !== null) {
    const metadata = outgoing.kexecMetadata !== null || outgoing.subtrees.length > 0;
    return outgoing.hasLuo || !metadata ? on : { kho: true, liveupdate: false, why: 'its own outgoing tree has no LUO: it was started without liveupdate=on' };
  }
  const received = decoded.handovers.find((handover) => handover.role === 'incoming' && handover.released);
  return received === undefined
    ? on
    : { kho: false, liveupdate: false, why: 'it has booted past the handover it received and has no outgoing tree of its own: it was started with kho=off' };
}

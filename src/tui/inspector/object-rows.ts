/** What KHO and LUO keep in the running kernel as rows: sides, sessions, files, FLBs, blobs, and what could not be read. Pure. */
import { errnoName } from '../../../abi/errno.js';
import type { Handover } from '../../handover/decode.js';
import type { Holder } from '../../handover/life.js';
import type { KernelObject } from '../../kernel/object.js';
import type { LiveFile, LiveObjects, LiveSession, LiveSide } from '../../objects/model.js';
import { escapeText } from '../../report/escape.js';
import { formatBytes, hex } from '../../tree/words.js';
import type { Style } from '../model/text.js';

export interface ObjectRow {
  readonly depth: number;
  readonly name: string;
  readonly text: string;
  readonly style: Style;
  /** struct and virtual address; '' for what is no object */
  readonly object: string;
  /** the node of the tree it is, or physical memory it names; null for neither */
  readonly path: string | null;
  readonly address: number | null;
}

const said = (status: number | null): string =>
  status === null ? '' : status === 0 ? 'not retrieved yet' : status > 0 ? 'retrieved' : `retrieve failed, ${errnoName(-status) ?? String(status)}`;

const holders = (openBy: readonly Holder[] | null): string =>
  openBy === null
    ? ''
    : openBy.length === 0
      ? 'no process has it open'
      : `open in ${openBy.map(({ comm, pid, fd }) => `${comm} (${pid}) as ${fd}`).join(', ')}`;

const joined = (...parts: readonly string[]): string => escapeText(parts.filter((part) => part !== '').join(', '));
const objectText = (object: KernelObject): string => escapeText(String(object));

export function objectRows(live: LiveObjects, handovers: readonly Handover[]): ObjectRow[] {
  const rows: ObjectRow[] = [];
  const add = (depth: number, name: string, text: string, more: Partial<ObjectRow> = {}): void => {
    rows.push({ depth, name: escapeText(name), text, style: 'plain', object: '', path: null, address: null, ...more });
  };
  const { kho } = live;
  add(
    0,
    'KHO',
    joined(
      kho.finalised === null ? '' : kho.finalised ? 'finalised' : 'not finalised',
      kho.kexecCount === null ? '' : `kexec ${kho.kexecCount}`,
      kho.previousRelease === null ? '' : `after ${kho.previousRelease}`,
    ),
    { style: 'label' },
  );
  for (const [name, fdt] of [
    ['incoming FDT', kho.incomingFdt],
    ['outgoing FDT', kho.outgoingFdt],
  ] as const)
    add(1, name, fdt === null ? 'none' : hex(fdt), { address: fdt, style: fdt === null ? 'dim' : 'address' });
  for (const { side, name, address, size } of kho.blobs)
    add(1, `${side}/${name}`, joined(`blob of ${formatBytes(size)}`, address === null ? '' : `at ${hex(address)}`), { address });
  const error = live.deserialiseError;
  add(
    0,
    'LUO',
    live.deserialised === null
      ? 'nothing tells whether /dev/liveupdate was opened'
      : live.deserialised
        ? error === null || error === 0
          ? 'sessions were deserialised'
          : `deserialising failed, ${errnoName(-error) ?? error}`
        : '/dev/liveupdate has not been opened: nothing is deserialised yet',
    { style: error !== null && error < 0 ? 'error' : 'label' },
  );
  for (const side of [live.incoming, live.outgoing]) sideRows(side, handovers, add);
  for (const flb of live.flbs ?? []) {
    const sides = flb.sides.map(
      ({ side, count, retrieveStatus }) => `${side}: count ${count}${said(retrieveStatus) === '' ? '' : `, ${said(retrieveStatus)}`}`,
    );
    add(1, `FLB ${flb.name.text}`, joined(flb.module ?? '', flb.operations ?? '', ...sides), { object: objectText(flb.object) });
  }
  for (const { what, why } of live.troubles) add(0, `not read: ${what}`, escapeText(why), { style: 'warning' });
  return rows;
}

type Add = (depth: number, name: string, text: string, more?: Partial<ObjectRow>) => void;

function sideRows(side: LiveSide, handovers: readonly Handover[], add: Add): void {
  const { sessions, complete } = side;
  const words =
    sessions === null
      ? 'its list of sessions could not be read'
      : `${sessions.length} session${sessions.length === 1 ? '' : 's'}${complete ? '' : ', the list is cut off'}`;
  add(1, side.side, joined(side.active ? '' : 'not set up', words, side.frozen ? 'serialised' : ''), { style: sessions === null ? 'warning' : 'label' });
  for (const session of sessions ?? []) sessionRows(session, side, handovers, add);
}

function sessionRows(session: LiveSession, { side }: LiveSide, handovers: readonly Handover[], add: Add): void {
  const shown = handovers
    .filter(({ role }) => role === side)
    .flatMap(({ luo }) => luo?.sessions ?? [])
    .find(({ name }) => name.text === session.name.text);
  add(2, session.name.text, joined(session.state, `${session.files.length} file${session.files.length === 1 ? '' : 's'}`, holders(session.openBy)), {
    object: objectText(session.object),
    path: shown?.path ?? null,
  });
  for (const file of session.files) {
    const path = shown?.files.find(({ token }) => token === file.token)?.path ?? shown?.path ?? null;
    add(3, hex(file.token), fileText(file), {
      object: objectText(file.object),
      path,
      style: file.retrieveStatus !== null && file.retrieveStatus < 0 ? 'error' : 'plain',
    });
  }
}

const fileText = (file: LiveFile): string =>
  joined(file.compatible.text, file.phase, said(file.retrieveStatus), file.module ?? '', file.operations ?? '', holders(file.openBy));

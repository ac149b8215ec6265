/** Patches out of a mailbox or a diff: subjects, files, hunks. Source: mbox (RFC 4155), git-format-patch(1), unified diffs. */
import { UserError } from '../codec/user-error.js';

export interface Hunk {
  /** line the hunk starts at, in the file before and after; from 1 */
  readonly beforeStart: number;
  readonly afterStart: number;
  readonly lines: readonly { readonly sign: ' ' | '-' | '+'; readonly text: string }[];
}

export interface FilePatch {
  /** path in the tree; null where the file is not there on that side */
  readonly before: string | null;
  readonly after: string | null;
  readonly hunks: readonly Hunk[];
}

export interface Patch {
  /** of the mail or commit; '' where there is none */
  readonly subject: string;
  readonly files: readonly FilePatch[];
}

/** The patches of a mailbox in the order of their numbers, or the one of a bare diff. @throws UserError where there is none */
export function patchesOf(text: string, label: string): readonly Patch[] {
  const mails = splitMailbox(text);
  const own = mails.map(readMail).filter(({ files }) => files.length > 0);
  // A review that quotes the patch: what is quoted is read.
  const patches = own.length > 0 ? own : mails.map((mail) => readMail(mail.replaceAll(/^> ?/gm, ''))).filter(({ files }) => files.length > 0);
  if (patches.length === 0) throw new UserError(`${label}: no diff in it; give a mailbox, the output of git diff, or a range like v7.3..HEAD`);
  return patches
    .map((patch, index) => ({ patch, number: numberOf(patch.subject) ?? index + 1, index }))
    .sort((a, b) => a.number - b.number || a.index - b.index)
    .map(({ patch }) => patch);
}

/** `n` of `[PATCH v3 n/m]`. */
const numberOf = (subject: string): number | null => {
  const match = /\[[^\]]*?(\d+)\/\d+[^\]]*\]/.exec(subject);
  return match === null ? null : Number(match[1]);
};

function splitMailbox(text: string): readonly string[] {
  const lines = text.replaceAll('\r\n', '\n').split('\n');
  const mails: string[][] = [[]];
  for (const [index, line] of lines.entries()) {
    if (/^From \S+/.test(line) && (index === 0 || lines[index - 1] === '') && /^[A-Za-z-]+:/.test(lines[index + 1] ?? '')) mails.push([]);
    else mails.at(-1)?.push(line);
  }
  return mails.filter((mail) => mail.some((line) => line !== '')).map((mail) => mail.join('\n'));
}

function readMail(mail: string): Patch {
  const headed = /^[A-Za-z-]+: /.test(mail);
  const end = mail.indexOf('\n\n');
  const head = headed && end !== -1 ? mail.slice(0, end).replaceAll(/\n[ \t]+/g, ' ') : '';
  const header = (name: string): string => new RegExp(`^${name}:\\s*(.*)$`, 'im').exec(head)?.[1]?.trim() ?? '';
  const body = head === '' ? mail : decodeBody(mail.slice(end + 2), header('Content-Transfer-Encoding').toLowerCase());
  return { subject: header('Subject'), files: filesOf(body) };
}

function decodeBody(body: string, encoding: string): string {
  if (encoding === 'base64') return Buffer.from(body, 'base64').toString('utf8');
  if (encoding !== 'quoted-printable') return body;
  const joined = body.replaceAll(/=\n/g, '');
  return Buffer.from(
    joined.replaceAll(/=([0-9A-Fa-f]{2})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 16))),
    'latin1',
  ).toString('utf8');
}

function filesOf(body: string): readonly FilePatch[] {
  const lines = body.split('\n');
  const files: { before: string | null; after: string | null; hunks: Hunk[] }[] = [];
  for (let at = 0; at < lines.length; at++) {
    const from = /^--- (\S+)/.exec(lines[at] ?? '');
    const to = /^\+\+\+ (\S+)/.exec(lines[at + 1] ?? '');
    if (from?.[1] !== undefined && to?.[1] !== undefined) {
      files.push({ before: pathOf(from[1]), after: pathOf(to[1]), hunks: [] });
      at++;
      continue;
    }
    const hunk = /^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@/.exec(lines[at] ?? '');
    const file = files.at(-1);
    if (hunk === null || file === undefined) continue;
    const read = readHunk(lines, at + 1, Number(hunk[2] ?? '1'), Number(hunk[4] ?? '1'));
    file.hunks.push({ beforeStart: Number(hunk[1]), afterStart: Number(hunk[3]), lines: read });
    at += read.length;
  }
  return files;
}

const pathOf = (text: string): string | null => (text === '/dev/null' ? null : text.replace(/^[ab]\//, ''));

/** The lines that the hunk's head promises, or as many of them as there are. */
function readHunk(lines: readonly string[], start: number, before: number, after: number): Hunk['lines'] {
  const out: { sign: ' ' | '-' | '+'; text: string }[] = [];
  let [left, right] = [before, after];
  for (let at = start; (left > 0 || right > 0) && at < lines.length; at++) {
    const line = lines[at] ?? '';
    const sign = line[0] ?? ' ';
    if (sign === '\\') continue;
    if (sign !== ' ' && sign !== '-' && sign !== '+') break;
    if (sign !== '+') left--;
    if (sign !== '-') right--;
    out.push({ sign, text: line.slice(1) });
  }
  return out;
}

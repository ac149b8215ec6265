/** Ink's idea of a key press as key names of the key table. What differs between Ink releases stays here. */
import type { Key } from 'ink';
import { PASTED, isTyped } from '../model/prompt.js';

/** Around pasted text. */
const PASTE: Readonly<Record<string, string>> = { '[200~': 'paste', '[201~': 'pasted' };
/** A mouse report that reaches the input as text, its escape already removed: button, column, row. */
const MOUSE = /^\[<(\d+);(\d+);(\d+)([Mm])/;
const BUTTONS: Readonly<Record<string, string>> = { '0': 'left', '64': 'wheelup', '65': 'wheeldown' };
/** A letter with Ctrl as terminals with the extended keyboard protocol send it: there Ctrl-I is not Tab. */
const EXTENDED = /^\[(\d+);5u$/;
/** Any other sequence Ink could not name. */
const SEQUENCE = /^[[O][\d;?<=>]+[ -/]*[@-~]?$/;

const CONTROL: Readonly<Record<string, string>> = {
  '\r': 'enter',
  '\n': 'enter',
  '\t': 'tab',
  '\u001b': 'esc',
  '\u007f': 'backspace',
  '\b': 'backspace',
  ' ': 'space',
};

const segmenter = new Intl.Segmenter();

/** The keys of one input event: several where characters arrived in one read ("jjk"), `mouse:left:10:5` for a click. */
export function keysOf(input: string, key: Key): readonly string[] {
  const named = namedKey(key);
  if (named !== null) return [named];
  if (key.ctrl && /^[a-z]$/.test(input)) return [`ctrl-${input}`];
  const paste = PASTE[input];
  if (paste !== undefined) return [paste];
  const mouse = MOUSE.exec(input);
  if (mouse !== null) {
    const button = mouse[4] === 'M' ? BUTTONS[mouse[1] ?? ''] : undefined;
    return button === undefined ? [] : [`mouse:${button}:${mouse[2]}:${mouse[3]}`];
  }
  const letter = EXTENDED.exec(input)?.[1];
  if (letter !== undefined) return [`ctrl-${String.fromCodePoint(Number(letter))}`];
  if ((input.length > 1 && SEQUENCE.test(input)) || key.meta || key.ctrl) return input === ' ' ? ['space'] : [];
  if (input.length === 1) return keyOfText(input);
  return [...segmenter.segment(input)].flatMap(({ segment }) => keyOfText(segment));
}

/** Characters of a paste that are kept. */
const MOST_PASTED = 4_096;

/** Makes one key, `paste:<text>`, in one line, of all that comes between the marks around a paste: text is never keys. */
export function pasteTaker(): (key: string) => string | null {
  let text: string | null = null;
  return (key) => {
    if (key === 'paste') text = '';
    else if (text === null || key === 'ctrl-c') {
      text = null;
      return key === 'pasted' ? null : key;
    } else if (key === 'pasted') {
      const whole = PASTED + text.trim();
      text = null;
      return whole;
    } else if (text.length < MOST_PASTED) text += isTyped(key) ? key : /^(enter|tab|space)$/.test(key) && !text.endsWith(' ') ? ' ' : '';
    return null;
  };
}

function namedKey(key: Key): string | null {
  if (key.upArrow) return 'up';
  if (key.downArrow) return 'down';
  if (key.leftArrow) return 'left';
  if (key.rightArrow) return 'right';
  if (key.pageUp) return 'pageup';
  if (key.pageDown) return 'pagedown';
  if (key.home) return 'home';
  if (key.end) return 'end';
  if (key.return) return 'enter';
  if (key.tab) return key.shift ? 'shift-tab' : 'tab';
  // the Backspace key sends 0x7f, which Ink 6 calls delete and later ones backspace
  if (key.backspace || key.delete) return 'backspace';
  return key.escape ? 'esc' : null;
}

function keyOfText(segment: string): readonly string[] {
  if (segment === '\r\n') return ['enter'];
  const control = CONTROL[segment];
  if (control !== undefined) return [control];
  const code = segment.codePointAt(0) ?? 0;
  if (code < 0x20) return code >= 1 && code <= 26 ? [`ctrl-${String.fromCharCode(code + 0x60)}`] : [];
  return /^\p{C}/u.test(segment) ? [] : [segment];
}

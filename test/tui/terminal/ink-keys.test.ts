import type { Key } from 'ink';
import { describe, expect, it } from 'vitest';
import { keysOf, pasteTaker } from '../../../src/tui/terminal/ink-keys.js';

const NONE: Key = {
  upArrow: false,
  downArrow: false,
  leftArrow: false,
  rightArrow: false,
  pageDown: false,
  pageUp: false,
  home: false,
  end: false,
  return: false,
  escape: false,
  ctrl: false,
  shift: false,
  tab: false,
  backspace: false,
  delete: false,
  meta: false,
  super: false,
  hyper: false,
  capsLock: false,
  numLock: false,
};

describe('keysOf', () => {
  it.each<[string, Partial<Key>, readonly string[]]>([
    ['', { upArrow: true }, ['up']],
    ['', { pageDown: true }, ['pagedown']],
    ['', { home: true }, ['home']],
    ['\r', { return: true }, ['enter']],
    ['', { tab: true }, ['tab']],
    ['', { tab: true, shift: true }, ['shift-tab']],
    ['', { delete: true }, ['backspace']],
    ['', { backspace: true }, ['backspace']],
    ['', { escape: true, meta: true }, ['esc']],
    ['', { escape: true }, ['esc']],
    ['c', { ctrl: true }, ['ctrl-c']],
    ['G', { shift: true }, ['G']],
    [' ', {}, ['space']],
  ])('%j with %j is %j', (input, key, keys) => {
    expect(keysOf(input, { ...NONE, ...key })).toEqual(keys);
  });

  it('takes several characters of one read one by one', () => {
    expect(keysOf('jjk', NONE)).toEqual(['j', 'j', 'k']);
    expect(keysOf('/vm\r', NONE)).toEqual(['/', 'v', 'm', 'enter']);
    expect(keysOf('a\u007f\u0003', NONE)).toEqual(['a', 'backspace', 'ctrl-c']);
    expect(keysOf('会é', NONE)).toEqual(['会', 'é']);
  });

  it('names the wheel and clicks with their place, and Ctrl-I where the terminal tells it from Tab', () => {
    expect(keysOf('[<64;10;5M', NONE)).toEqual(['mouse:wheelup:10:5']);
    expect(keysOf('[<0;10;5M', NONE)).toEqual(['mouse:left:10:5']);
    expect(keysOf('[105;5u', NONE)).toEqual(['ctrl-i']);
  });

  it('makes one key of what is pasted, whatever is in it; Ctrl-C goes through', () => {
    const taken = (...inputs: readonly string[]) => {
      const take = pasteTaker();
      return inputs
        .flatMap((input) => keysOf(input, NONE))
        .map(take)
        .filter((key) => key !== null);
    };
    expect(taken('j', '[200~', ' one\r\n', '[<64;10;5M', 'q\t:q!\n', '[201~', 'k')).toEqual(['j', 'paste:one q :q!', 'k']);
    expect(taken('[200~', 'e\u0301会', '[201~', '[201~')).toEqual(['paste:e\u0301会']);
    expect(taken('[200~', 'lost', '\u0003', 'j')).toEqual(['ctrl-c', 'j']);
  });

  it('drops releases of the mouse and sequences nobody named', () => {
    expect(keysOf('[<0;10;5m', NONE)).toEqual([]);
    expect(keysOf('[?1;2c', NONE)).toEqual([]);
  });

  it('keeps brackets that were typed', () => {
    expect(keysOf('[', NONE)).toEqual(['[']);
    expect(keysOf(']', NONE)).toEqual([']']);
    expect(keysOf('[]', NONE)).toEqual(['[', ']']);
    expect(keysOf('[[', NONE)).toEqual(['[', '[']);
    expect(keysOf('O', NONE)).toEqual(['O']);
  });
});

import type { Key } from 'ink';
import { describe, expect, it } from 'vitest';
import { keysOf } from '../../../src/tui/terminal/ink-keys.js';

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

  it('drops releases of the mouse and sequences nobody named', () => {
    expect(keysOf('[<0;10;5m', NONE)).toEqual([]);
    expect(keysOf('[?1;2c', NONE)).toEqual([]);
    expect(keysOf('[200~', NONE)).toEqual([]);
  });

  it('keeps brackets that were typed', () => {
    expect(keysOf('[', NONE)).toEqual(['[']);
    expect(keysOf(']', NONE)).toEqual([']']);
    expect(keysOf('[]', NONE)).toEqual(['[', ']']);
    expect(keysOf('[[', NONE)).toEqual(['[', '[']);
    expect(keysOf('O', NONE)).toEqual(['O']);
  });
});

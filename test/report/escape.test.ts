import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { escapeText } from '../../src/report/escape.js';

describe('escapeText', () => {
  it('leaves plain text of any script alone', () => {
    for (const text of ['vm-0', 'größe', '会话', 'naïve é', 'a b', '😀']) expect(escapeText(text)).toBe(text);
  });

  it('shows what steers a terminal', () => {
    expect(escapeText('a\u001b[2Jb')).toBe('a\\x1b[2Jb');
    expect(escapeText('\u009b31m')).toBe('\\x9b31m');
    expect(escapeText('\u0007\u007f')).toBe('\\x07\\x7f');
    expect(escapeText('a\nb\tc\0')).toBe('a\\nb\\tc\\0');
  });

  it('shows what reorders or hides', () => {
    expect(escapeText('a\u202eb')).toBe('a\\u{202e}b');
    expect(escapeText('x\u200by\ufeff')).toBe('x\\u{200b}y\\u{feff}');
    expect(escapeText('\u{e0041}')).toBe('\\u{e0041}');
    expect(escapeText('\ud800')).toBe('\\u{d800}');
    expect(escapeText('a\u00a0b')).toBe('a\\xa0b');
    expect(escapeText('a\u2028b')).toBe('a\\u{2028}b');
  });

  it('doubles a backslash, so that an escape cannot be faked', () => {
    expect(escapeText('\\x1b')).toBe('\\\\x1b');
  });

  it('never lets a control character through, whatever the text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(escapeText(text)).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u);
      }),
    );
  });
});

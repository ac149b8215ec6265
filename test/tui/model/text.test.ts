import fc from 'fast-check';
import stringWidth from 'string-width';
import { describe, expect, it } from 'vitest';
import { clip, fill, lineWidth, padTo, shorten, span, spread, textOf, widthOf, wrap } from '../../../src/tui/model/text.js';

const texts = fc.oneof(fc.string(), fc.string({ unit: 'grapheme' }), fc.constantFrom('会话-0', 'a会b', '😀x', 'é'));

describe('text in columns', () => {
  it('counts wide characters twice', () => {
    expect(widthOf('vm-0')).toBe(4);
    expect(widthOf('会话')).toBe(4);
  });

  it('takes the signs it draws with for what a terminal makes of them', () => {
    for (const sign of '│─━›▾▸◂∅→←↑↓▶●◆…·█×–“”') expect([sign, stringWidth(sign), widthOf(sign)]).toEqual([sign, 1, 1]);
  });

  it('shortens with an ellipsis and never cuts a wide character in half', () => {
    expect(shorten('session', 4)).toBe('ses…');
    expect(shorten('会话会话', 4)).toBe('会…');
    expect(shorten('abc', 3)).toBe('abc');
    expect(padTo('会话', 6)).toBe('会话  ');
  });

  it('clips and fills to the column, whatever the text', () => {
    fc.assert(
      fc.property(fc.array(texts), fc.integer({ min: 0, max: 60 }), (parts, width) => {
        const line = parts.map((part) => span(part));
        expect(lineWidth(clip(line, width))).toBeLessThanOrEqual(width);
        expect(lineWidth(fill(line, width))).toBe(width);
      }),
    );
  });

  it('gives the left side up to the right one', () => {
    expect(textOf(spread([span('a long left side')], [span('right')], 16))).toBe('a long le… right');
    expect(textOf(spread([span('left')], [span('right')], 20))).toBe('left           right');
  });

  it('wraps at blanks, breaks what is longer than a row, and loses nothing', () => {
    expect(wrap('one two three', 7)).toEqual(['one two', 'three']);
    expect(wrap('abcdefghij', 4)).toEqual(['abcd', 'efgh', 'ij']);
    expect(wrap('a bb ccc', 4, 2)).toEqual(['a bb', '  cc', '  c']);
    fc.assert(
      fc.property(fc.string(), fc.integer({ min: 2, max: 30 }), (text, width) => {
        const rows = wrap(text, width);
        for (const row of rows) expect(widthOf(row)).toBeLessThanOrEqual(width);
        expect(rows.join('').replaceAll(' ', '')).toBe(text.replaceAll(' ', ''));
      }),
    );
  });
});

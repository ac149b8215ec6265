/** JSON line by line says what JSON.stringify says, and finished output hides nothing. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { oneLine, plainOutput } from '../../src/report/escape.js';
import { jsonLines } from '../../src/report/json-lines.js';
import { JsonItems } from '../../src/report/json-value.js';

describe('jsonLines', () => {
  it('writes any value as JSON.stringify does', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect([...jsonLines(value)].join('\n')).toBe(JSON.stringify(value, null, 2));
      }),
    );
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.jsonValue(), fc.dictionary(fc.string(), fc.string())), { maxLength: 600 }), (values) => {
        const streamed = { runs: new JsonItems(() => values), end: 1 };
        expect([...jsonLines(streamed)].join('\n')).toBe(JSON.stringify({ runs: values, end: 1 }, null, 2));
      }),
      { numRuns: 30 },
    );
    expect([...jsonLines({ a: undefined, b: [undefined, []], c: {} })].join('\n')).toBe(JSON.stringify({ a: undefined, b: [undefined, []], c: {} }, null, 2));
  });
});

describe('plainOutput', () => {
  const hidden = ['\u009b31m', '\u202e', '\u200b', '\u{e0041}', '\u2028', '\ufeff', '\u007f', '\u0600'];

  it('shows whatever steers a terminal or hides, and JSON still says the same', () => {
    for (const text of hidden) {
      const json = plainOutput(JSON.stringify({ name: `a${text}b` }));
      expect(json).toMatch(/^[\x20-\x7e]*$/);
      expect(JSON.parse(json)).toEqual({ name: `a${text}b` });
    }
  });

  it('leaves plain text, other scripts and colours alone', () => {
    for (const text of ['plain', 'Grüße, 世界, שלום', '\u001b[31mred\u001b[0m']) expect(plainOutput(text)).toBe(text);
  });

  it('makes one line of a message', () => {
    expect(oneLine('a\nb\u001b[2Jc\u202ed\n')).toBe('a b [2Jc\\u202ed');
  });
});

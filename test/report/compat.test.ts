import { describe, expect, it } from 'vitest';
import { releases } from '../../abi/registry.js';
import { checkCompat } from '../../src/compat/check.js';
import { releaseSide } from '../../src/compat/release-side.js';
import { compatJson, compatText } from '../../src/report/compat-text.js';
import { wrap } from '../../src/report/lines.js';

const plain = { width: 100, color: false, verbose: false };
const kinds = new Set([
  'taken-over',
  'cold-boot',
  'panic',
  'open-fails',
  'retrieve-fails',
  'finish-fails',
  'reboot-fails',
  'corrupts',
  'leaks',
  'warns',
  'ignored',
  'unknown',
]);

describe('compatJson', () => {
  it('has the keys scripts rely on', () => {
    for (const from of releases)
      for (const to of releases) {
        const json: unknown = JSON.parse(JSON.stringify(compatJson(checkCompat(releaseSide(from), releaseSide(to)))));
        expect(json).toMatchObject({ schema: 'luo-inspect.compat/1', from, to, verdict: expect.stringMatching(/^(compatible|incompatible|unknown)$/) });
        if (typeof json !== 'object' || json === null || !('layers' in json) || !Array.isArray(json.layers)) throw new Error('no layers');
        for (const row of json.layers) {
          expect(Object.keys(row)).toEqual(expect.arrayContaining(['layer', 'from', 'to', 'outcome', 'errno', 'text']));
          expect(kinds.has(row.outcome), row.outcome).toBe(true);
        }
      }
  });
});

describe('compatText', () => {
  it('starts with the answer', () => {
    expect(compatText(checkCompat(releaseSide('7.2'), releaseSide('7.3')), plain)[0]).toBe('Can 7.3 take over from 7.2? yes');
    expect(compatText(checkCompat(releaseSide('7.1'), releaseSide('7.3')), plain)[0]).toBe('Can 7.3 take over from 7.1? no');
  });

  it('says which layer refuses, and how', () => {
    const text = compatText(checkCompat(releaseSide('7.1'), releaseSide('7.3')), plain).join('\n');
    expect(text).toMatch(/kho +kho-v3 +kho-v4 +cold-boot/);
    expect(text).toMatch(/memfd +memfd-v2 +memfd-v2 +ignored +not reached/);
  });

  it('stays within the terminal, and colours only where asked', () => {
    const result = checkCompat(releaseSide('6.17.8'), releaseSide('6.18'));
    for (const line of compatText(result, plain)) expect(line.length, line).toBeLessThanOrEqual(100);
    expect(compatText(result, plain).join('')).not.toMatch(/\u001b/);
    expect(compatText(result, { ...plain, color: true }).join('')).toMatch(/\u001b\[31m/);
  });

  it('escapes names of files', () => {
    const result = { ...checkCompat(releaseSide('7.3'), releaseSide('7.3')), from: 'a\u001b]0;x\u0007' };
    expect(compatText(result, plain).join('\n')).not.toMatch(/[\u001b\u0007]/);
  });
});

describe('wrap', () => {
  it('breaks at spaces and loses nothing', () => {
    expect(wrap('one two three', 7)).toEqual(['one two', 'three']);
    expect(wrap('unbreakable', 4)).toEqual(['unbreakable']);
    expect(wrap('', 4)).toEqual(['']);
  });
});

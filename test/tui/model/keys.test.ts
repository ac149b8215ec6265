import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { KEY_PAGES } from '../../../src/tui/key-pages.js';
import { footerLine, helpLines, keyLabel, keyOf } from '../../../src/tui/model/keys.js';
import { textOf } from '../../../src/tui/model/text.js';

describe.each(KEY_PAGES)('the keys of $title', ({ keys: table, commands, panes }) => {
  it('mean one thing in each pane', () => {
    for (const pane of panes) {
      const seen = new Map<string, string>();
      for (const { keys, help: action, panes: only } of table) {
        if (only !== undefined && !only.includes(pane)) continue;
        for (const key of keys) {
          expect(seen.get(key) ?? action, `${key} in ${pane}`).toBe(action);
          seen.set(key, action);
          expect(keyOf(table, key, pane)?.help).toBe(action);
        }
      }
    }
  });

  it('name panes that exist', () => {
    for (const { panes: only } of table) for (const pane of only ?? []) expect(panes).toContain(pane);
  });

  it('stand in the help, each with its words', () => {
    const help = helpLines(table, commands, 200).map(textOf).join('\n');
    for (const { keys, help: words } of table) {
      expect(help).toContain(`${keys.map(keyLabel).join(' ')} `);
      expect(help).toContain(words);
    }
    for (const { name, help: words } of commands) {
      expect(help).toContain(`:${name}`);
      expect(help).toContain(words);
    }
  });

  it('fit the footer, and each hint there is a key that works', () => {
    for (const pane of panes) {
      for (const width of [40, 80, 200]) expect(textOf(footerLine(table, pane, width)).length).toBeLessThanOrEqual(width);
      for (const width of [20, 40, 80]) expect(textOf(footerLine(table, pane, width))).toContain('? help');
      const footer = textOf(footerLine(table, pane, 300));
      for (const { hint, keys, panes: only } of table) {
        if (hint !== undefined && (only === undefined || only.includes(pane))) expect(footer).toContain(`${keyLabel(keys[0] ?? '')} ${hint}`);
      }
    }
  });
});

describe('docs/keys.md', () => {
  it('is what the key tables say (npm run docs writes it)', async () => {
    const { keysMarkdown } = await import('../../../src/tui/model/keys.js');
    await expect(keysMarkdown(KEY_PAGES)).toMatchFileSnapshot('../../../docs/keys.md');
    expect(readFileSync('docs/keys.md', 'utf8')).toContain('`Ctrl-c`');
  });
});

/** Every file of the repository that is made of tables in the code, and what it must hold. */
import { commandLine, firstExamples } from '../../src/cli/commands.js';
import { manualPage } from '../../src/cli/manual.js';
import { contractJsonSchema } from '../../src/contract-file/contract-file.js';
import { rules } from '../../src/diagnosis/rules/index.js';
import { scenarioJsonSchema } from '../../src/engine/scenario/parse.js';
import { rulesDocument } from '../../src/report/rules-text.js';
import { KEY_PAGES } from '../../src/tui/key-pages.js';
import { keysMarkdown } from '../../src/tui/model/keys.js';
import { abiDocument } from './abi.js';
import { contractReference } from './contracts.js';
import { dependenciesDocument } from './dependencies.js';
import { FIRST_MINUTES, firstMinutes } from './first-minutes.js';
import { limitsReference } from './limits.js';
import { peersDocument } from '../peers/results.js';
import { scenarioReference } from './scenarios.js';

const json = (schema: unknown): string => `${JSON.stringify(schema, null, 1)}\n`;

/** By path from the repository's root. */
export const pages: Readonly<Record<string, () => string | Promise<string>>> = {
  'docs/abi.md': abiDocument,
  'docs/contracts.md': contractReference,
  'docs/dependencies.md': dependenciesDocument,
  'docs/keys.md': () => keysMarkdown(KEY_PAGES),
  'docs/limits.md': limitsReference,
  'docs/peers.md': peersDocument,
  'docs/rules.md': () => rulesDocument(rules),
  'docs/scenarios.md': scenarioReference,
  'man/luo-inspect.1': async () => manualPage(await commandLine(), firstExamples),
  ...Object.fromEntries(FIRST_MINUTES.map((path) => [path, firstMinutes(path)])),
  'samples/contract.schema.json': () => json(contractJsonSchema()),
  'samples/scenario.schema.json': () => json(scenarioJsonSchema()),
};

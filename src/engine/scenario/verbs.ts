/** Every verb of the scenario language, by name. Parser, JSON Schema and the reference in docs/scenarios.md are made of this table. */
import type { VerbSpec } from './verb.js';
import { deviceVerbs } from './verbs-device.js';
import { fileVerbs } from './verbs-file.js';
import { kvmVerbs } from './verbs-kvm.js';
import { sessionVerbs } from './verbs-session.js';

export const VERBS: Readonly<Record<string, VerbSpec>> = { ...sessionVerbs, ...fileVerbs, ...deviceVerbs, ...kvmVerbs };

/** Every verb of the scenario language, by name. Parser, step types, JSON Schema and the reference in docs/scenarios.md are made of this table. */
import { deviceVerbs } from './verbs-device.js';
import { fileVerbs } from './verbs-file.js';
import { kvmVerbs } from './verbs-kvm.js';
import { processVerbs } from './verbs-process.js';
import { rebootVerbs } from './verbs-reboot.js';
import { sessionVerbs } from './verbs-session.js';

export const VERBS = { ...sessionVerbs, ...rebootVerbs, ...fileVerbs, ...processVerbs, ...deviceVerbs, ...kvmVerbs };

/** Every rule of `diagnose`, family by family; within a family in the order in which findings of equal weight stand. */
import type { Rule } from '../rule.js';
import { khoFdtRules } from './kho-fdt.js';
import { khoMapRules } from './kho-map.js';

export const rules: readonly Rule[] = [...khoFdtRules, ...khoMapRules];

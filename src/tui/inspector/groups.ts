/** Headings of the inspector's help. */
export const TREE = 'Tree';
export const GO = 'Addresses and places';
export const FINDINGS = 'Findings';

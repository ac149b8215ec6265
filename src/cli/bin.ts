#!/usr/bin/env node
/** The executable: the bundle beside it, run on the command line. */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadBundle } from './code-cache.js';

/** Of the bundle's bytes; put here by the build. */
declare const BUILD: string;

const [first = ''] = process.argv.slice(2);
const keptFor = first.startsWith('-') ? 'help' : /^[a-z]+$/.test(first) && !existsSync(first) ? first : 'inspect';
// keys typed while the bundle loads are for the view: the terminal is not to show them; Node gives it back however this ends
if (keptFor === 'inspect' && first !== '' && process.stdout.isTTY && process.stdin.isTTY && process.env.TERM !== 'dumb') process.stdin.setRawMode(true);
const bundle: unknown = loadBundle(join(dirname(fileURLToPath(import.meta.url)), 'main.js'), BUILD, keptFor);
if (typeof bundle === 'object' && bundle !== null && 'main' in bundle && typeof bundle.main === 'function') void bundle.main(process.argv.slice(2));

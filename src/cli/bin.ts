#!/usr/bin/env node
/** The executable. Node 22.1 and later keep the compiled code for the next start. */
import module from 'node:module';

const enableCompileCache: unknown = Reflect.get(module, 'enableCompileCache');
if (typeof enableCompileCache === 'function') enableCompileCache();
const { main } = await import('./main.js');

await main(process.argv.slice(2));

// Builds dist/ anew: tsc, and the timer worker as a file of its own, from the text that the Blob is made of too.
import { spawnSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

const at = (path) => fileURLToPath(new URL(`../${path}`, import.meta.url));

rmSync(at('dist'), { recursive: true, force: true });
const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc');
const { status } = spawnSync(process.execPath, [tsc, '-p', at('tsconfig.build.json')], { stdio: 'inherit' });
if (status !== 0) process.exit(status ?? 1);
const { TIMER_WORKER_SOURCE } = await import(new URL('../dist/time/worker-source.js', import.meta.url));
writeFileSync(at('dist/timer-worker.js'), TIMER_WORKER_SOURCE);

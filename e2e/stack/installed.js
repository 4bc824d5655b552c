// Runs before the services do, on whatever Node is there, and so is not TypeScript.
import { existsSync } from 'node:fs';

if (!existsSync(new URL('../../node_modules/koa', import.meta.url))) {
  console.error('The packages of this project, its own Node among them, are not installed: run `npm ci` first.');
  process.exit(1);
}

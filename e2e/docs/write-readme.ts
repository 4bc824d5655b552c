/** Writes into the README its table of reasons, and what its commands print. */
import { readFile, writeFile } from 'node:fs/promises';
import { ROOT } from '../stack/paths.ts';
import { actOutWithDocker, actOutWithoutDocker } from './act-out.ts';
import { withOutputs } from './page.ts';
import { reasonsTable } from './reasons.ts';

const README = `${ROOT}README.md`;
const REASONS_TABLE = /^\| `reason`.*\n(?:\|.*\n?)*\|$/m;

const readme = await readFile(README, 'utf8');
console.log('The README, with Docker …');
const withDocker = await actOutWithDocker(readme);
console.log('The README, without Docker …');
const { outputs } = await actOutWithoutDocker(readme);
const written = withOutputs(readme, new Map([...withDocker, ...outputs]));
await writeFile(README, written.replace(REASONS_TABLE, reasonsTable));

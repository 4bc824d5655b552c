/** Writes into the README its table of reasons, and what its commands print. */
import { readFile, writeFile } from 'node:fs/promises';
import { ROOT } from '../stack/paths.ts';
import { followWithDocker, followWithoutDocker } from './follow.ts';
import { withOutputs } from './page.ts';
import { reasonsTable } from './reasons.ts';

const README = `${ROOT}README.md`;
const REASONS_TABLE = /^\| `reason`.*\n(?:\|.*\n?)*\|$/m;

const readme = await readFile(README, 'utf8');
console.log('The README, with Docker …');
const withDocker = await followWithDocker(readme);
console.log('The README, without Docker …');
const { outputs } = await followWithoutDocker(readme);
const written = withOutputs(readme, new Map([...withDocker, ...outputs]));
await writeFile(README, written.replace(REASONS_TABLE, reasonsTable));

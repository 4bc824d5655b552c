/** Writes into the README what its commands print. */
import { readFile, writeFile } from 'node:fs/promises';
import { ROOT } from '../stack/paths.ts';
import { actOutWithDocker, actOutWithoutDocker } from './act-out.ts';
import { withOutputs } from './page.ts';

const README = `${ROOT}README.md`;

const readme = await readFile(README, 'utf8');
console.log('The README, with Docker …');
const withDocker = await actOutWithDocker(readme);
console.log('The README, without Docker …');
const { outputs } = await actOutWithoutDocker(readme);
await writeFile(README, withOutputs(readme, new Map([...withDocker, ...outputs])));

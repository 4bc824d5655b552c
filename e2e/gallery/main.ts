/** Acts out every failure, and an outage under a steady stream of calls; writes the page and draws the picture. */
import { writeFile } from 'node:fs/promises';
import { nameOf } from '../picture/outcomes.ts';
import { drawOutage } from '../experiment/outage.ts';
import { ROOT } from '../stack/paths.ts';
import { actOut, type ActedOut } from './act-out.ts';
import { acts } from './acts.ts';
import { actOutOutage, CALLS_PER_SECOND } from './outage.ts';
import { galleryPage } from './page.ts';
import { answersOf } from './script.ts';

const FOLDER = `${ROOT}e2e/gallery`;

const actedOut: ActedOut[] = [];
for await (const acted of actOut(acts)) {
  console.log(`The gallery: ${acted.act.title}`);
  for (const { call, outcome } of answersOf(acted.act, acted.history).answers) {
    if (call.outcomes.includes(outcome)) continue;
    throw new Error(`When A ${call.what}, B answered ${nameOf(outcome)}: nothing was written.`);
  }
  actedOut.push(acted);
}
await writeFile(`${FOLDER}/README.md`, galleryPage(actedOut));
console.log('The gallery: the picture of an outage');
await writeFile(`${FOLDER}/outage.svg`, drawOutage(await actOutOutage(), CALLS_PER_SECOND, 1000));

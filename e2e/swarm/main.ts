/** Follows the chapter, draws two of its acts, and prints what its tables are made of. Takes six minutes. */
import { writeFile } from 'node:fs/promises';
import { drawAct } from './act-chart.ts';
import { ACTS, CALLS_PER_SECOND, DEADLINE_MS, FOLDER, inWords, newActor, sections } from './act-out.ts';
import { servedByMachines, servedByReplica, warmUp } from './sizing.ts';

const PICTURES: Record<string, string> = { 'A new version of A': 'update.svg', 'A machine is frozen': 'frozen.svg' };
const SIZING = 'What a replica serves';

const actor = await newActor();
for (const [title, examples] of Object.entries(sections)) {
  console.log(title);
  if (title === SIZING) await warmUp(actor.reader);
  if (ACTS[title]) {
    const act = await actor.actOut(title);
    console.log(inWords(act));
    if (PICTURES[title]) await writeFile(`${FOLDER}/${PICTURES[title]}`, drawAct(act, CALLS_PER_SECOND, DEADLINE_MS));
  } else {
    for (const example of examples) await actor.enact(example);
  }
  if (title === SIZING) await measure();
}
actor.reader.down();

async function measure() {
  console.log('Calls a second on one, two and three machines:', await servedByMachines(actor.reader));
  const sizes = { 'service-b': [0.1, 0.2, 0.5, 1], 'service-a': [0.1, 0.2] } as const;
  for (const [service, cpus] of Object.entries(sizes)) {
    for (const share of cpus) {
      const perSecond = await servedByReplica(actor.reader, service as keyof typeof sizes, share);
      console.log(`A ${service} held to ${share} of a core: ${Math.round(perSecond)} calls a second`);
    }
  }
}

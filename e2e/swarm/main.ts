/** Follows the chapter, and prints what its tables are made of. Takes six minutes. */
import { writeFile } from 'node:fs/promises';
import { command, Unusable } from '../stack/command.ts';
import { drawSection } from './section-chart.ts';
import { ACTS, CALLS_PER_SECOND, DEADLINE_MS, FOLDER, inWords, newActor, sections } from './chapter.ts';
import type { Machines } from './machines.ts';
import { servedByMachines, servedByReplica, warmUp } from './sizing.ts';

const PICTURES: Record<string, string> = { 'A new version of A': 'update.svg', 'A machine is frozen': 'frozen.svg' };
const SIZING = 'What a replica serves';

const HELP = `Follows e2e/swarm/README.md on three machines of its own, each a container, in about six minutes, and prints
what its tables are made of.

  npm run swarm

  --write    write the chapter's pictures, too, e2e/swarm/update.svg and frozen.svg

CALLS_PER_SECOND is how often B is called (100).
`;

await command(HELP, { write: { type: 'boolean' } }, async ({ write }) => {
  if (!(CALLS_PER_SECOND > 0 && CALLS_PER_SECOND <= 1000))
    throw new Unusable(`CALLS_PER_SECOND is ${process.env.CALLS_PER_SECOND}; it must be more than 0 and at most 1000.`);
  const actor = await newActor();
  for (const [title, examples] of Object.entries(sections)) {
    console.log(title);
    if (title === SIZING) await warmUp(actor.reader);
    if (ACTS[title]) {
      const act = await actor.actOut(title);
      console.log(inWords(act));
      if (write && PICTURES[title])
        await writeFile(`${FOLDER}/${PICTURES[title]}`, drawSection(act, CALLS_PER_SECOND, DEADLINE_MS));
    } else {
      for (const example of examples) await actor.enact(example);
    }
    if (title === SIZING) await measure(actor.reader);
  }
  actor.reader.down();
});

async function measure(reader: Machines) {
  console.log('Calls a second on one, two and three machines:', await servedByMachines(reader));
  const sizes = { 'service-b': [0.1, 0.2, 0.5, 1], 'service-a': [0.1, 0.2] } as const;
  for (const [service, cpus] of Object.entries(sizes)) {
    for (const share of cpus) {
      const perSecond = await servedByReplica(reader, service as keyof typeof sizes, share);
      console.log(`A ${service} held to ${share} of a core: ${Math.round(perSecond)} calls a second`);
    }
  }
}

import { newProject } from '../stack/docker/containers.ts';
import { blocksIn } from './page.ts';
import { newReader } from './reader.ts';

const WITHOUT_DOCKER = 'Without Docker';

/** Pastes every step of the README that needs Docker, in order and without a pause. Resolves to their outputs by line. */
export async function followWithDocker(readme: string): Promise<Map<number, string>> {
  await using project = newProject();
  const reader = await newReader(project);
  const outputs = new Map<number, string>();
  for (const { section, commands, line } of blocksIn(readme)) {
    if (section !== WITHOUT_DOCKER) outputs.set(line, await reader.paste(commands));
  }
  return outputs;
}

/**
 * Does what the README says under "Without Docker", in three terminals. Resolves to the steps' outputs by line; `again` is
 * the answer after A was started again, and `together` is the answer after `npm start`.
 */
export async function followWithoutDocker(readme: string) {
  const [ask, askStoppedA] = blocksIn(readme).filter(({ section }) => section === WITHOUT_DOCKER);
  const outputs = new Map<number, string>();
  await using reader = await newReader();
  const a = await reader.open('npm run service-a');
  const b = await reader.open('npm run service-b');
  outputs.set(ask!.line, await reader.paste(ask!.commands));
  await a.ctrlC();
  outputs.set(askStoppedA!.line, await reader.paste(askStoppedA!.commands));
  const newA = await reader.open('npm run service-a');
  const again = await reader.paste(ask!.commands);
  await newA.ctrlC();
  await b.ctrlC();
  await reader.open('npm start', 2);
  const together = await reader.paste(ask!.commands);
  return { outputs, again, together };
}

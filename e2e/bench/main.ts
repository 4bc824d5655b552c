/** `npm run bench`: what the services cost, beside bare `node:http` and beside the plainest use of Koa and got. */
import { writeFile } from 'node:fs/promises';
import { checkFiles, path } from '../pairs/options.ts';
import { command } from '../stack/command.ts';
import { chart } from './chart.ts';
import { farOff } from './figures.ts';
import { run, runQuick } from './run.ts';
import { textTable } from './text-table.ts';

const HELP = `What the services cost, beside bare node:http and beside the plainest use of Koa and got.

  npm run bench                 all figures, in about 5 minutes
  npm run bench -- --quick      the main ones, in about half a minute; ends with 1 when one is more than twice its target

  --json FILE    all figures, for machines
  --svg FILE     the main ones, as a picture
`;
const OPTIONS = { quick: { type: 'boolean' }, json: { type: 'string' }, svg: { type: 'string' } } as const;

await command(HELP, OPTIONS, async (values) => {
  checkFiles(values, ['json', 'svg']);
  const start = performance.now();
  const about = values.quick ? '30 s' : '300 s';
  function progress(step: string) {
    const seconds = Math.round((performance.now() - start) / 1000);
    const line = `${seconds} s of about ${about} · ${step}`;
    process.stderr.write(process.stderr.isTTY ? `\r\x1b[K${line}` : `${line}\n`);
  }

  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(1));

  const report = await (values.quick ? runQuick : run)(progress);
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');

  const { date, machine, figures, notMeasured } = report;
  console.log(`${date}, ${machine.cpus} × ${machine.model}, ${machine.platform}, Node ${machine.node}\n`);
  console.log(textTable(figures));
  for (const what of notMeasured) console.log(`Not measured: ${what}`);
  if (values.json) await writeFile(path(values.json), JSON.stringify(report, undefined, 2) + '\n');
  if (values.svg) await writeFile(path(values.svg), chart(report));

  const failures = farOff(figures);
  if (values.quick && failures.length > 0) {
    console.error(`More than twice the target in every round: ${failures.join('; ')}.`);
    return 1;
  }
});

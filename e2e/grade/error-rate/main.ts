/** `npm run error-rate`: how often the grade errs, as the table in e2e/grade/README.md. */
import { spawn } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { table } from '../../docs/markdown.ts';
import { command } from '../../stack/command.ts';
import { ROOT } from '../../stack/paths.ts';
import { killAtExit } from '../../stack/process/at-exit.ts';
import {
  failedIn,
  FAULTS_OF_A,
  FAULTS_OF_B,
  gradeCommands,
  NODE,
  PYTHON,
  TOGETHER,
  withFaults,
} from '../fixtures/planted.ts';

const README = `${ROOT}e2e/grade/README.md`;
const PLACE = /(<!-- error rate -->\n)[^]*?(?=<!-- end of the error rate -->)/;
const LOADS = [1, 4, 8];
const SOUND_ROUNDS = 5;
const HELP = `How often the grade errs: each fault that a pair can be given, found or missed, and what is found in sound pairs while
other programs want the processor. Takes some fifteen minutes.

  npm run error-rate

  --write    put the tables into e2e/grade/README.md, too
`;

interface Planted {
  service: 'A' | 'B';
  fault: string;
  check: string;
  isFound: boolean;
  /** What failed in that pair, and has no fault. */
  others: string[];
}

async function plantAll(): Promise<Planted[]> {
  const planted: Planted[] = [];
  for (const [ofA, ofB] of TOGETHER) {
    const failed = failedIn(
      await gradeCommands(withFaults(`${NODE} a`, ...(ofA ? [ofA] : [])), withFaults(`${NODE} b`, ...ofB)),
    );
    const faults = [
      ...(ofA ? [{ service: 'A' as const, fault: ofA, check: FAULTS_OF_A[ofA]! }] : []),
      ...ofB.map((fault) => ({ service: 'B' as const, fault, check: FAULTS_OF_B[fault]! })),
    ];
    const others = failed.filter((name) => faults.every(({ check }) => check !== name));
    planted.push(...faults.map((one) => ({ ...one, isFound: failed.includes(one.check), others })));
    console.error(faults.map(({ fault }) => fault).join(', '));
  }
  return planted;
}

/** What fails in sound pairs while each processor is wanted by `load` programs, one of them the pair's. */
async function gradeSound(load: number) {
  const busy = Array.from({ length: (load - 1) * cpus().length }, () =>
    spawn(process.execPath, ['--eval', 'for (;;);'], { stdio: 'ignore', detached: true }),
  );
  const forget = busy.map(({ pid }) => killAtExit(pid!));
  try {
    const failed: string[] = [];
    for (let round = 0; round < SOUND_ROUNDS; round++)
      for (const start of [NODE, PYTHON]) failed.push(...failedIn(await gradeCommands(`${start} a`, `${start} b`)));
    console.error(`sound pairs at ${load} ×: ${failed.join(', ') || 'nothing failed'}`);
    return failed;
  } finally {
    for (const [index, child] of busy.entries()) {
      child.kill('SIGKILL');
      forget[index]!();
    }
  }
}

await command(HELP, { write: { type: 'boolean' } }, async ({ write }) => {
  const planted = await plantAll();
  const found = planted.filter(({ isFound }) => isFound).length;
  const sound: string[][] = [];
  for (const load of LOADS) sound.push(await gradeSound(load));
  const pairs = SOUND_ROUNDS * 2;
  const text = [
    `${found} of ${planted.length} planted faults are found, each by the check that is meant for it:`,
    table([
      ['service', 'fault', 'check', 'found', 'others that failed'],
      ...planted.map(({ service, fault, check, isFound, others }) => [
        service,
        fault,
        check,
        isFound ? 'yes' : '**no**',
        others.join(', '),
      ]),
    ]),
    `Sound pairs, in Node and in Python, while other programs want the processors as well:`,
    table([
      ['programs for each processor', 'grades', 'checks that failed'],
      ...LOADS.map((load, index) => [String(load), String(pairs), sound[index]!.join(', ') || 'none']),
    ]),
  ].join('\n\n');
  console.log(text);
  if (write) await writeFile(README, (await readFile(README, 'utf8')).replace(PLACE, `$1\n${text}\n\n`));
});

import { createHash } from 'node:crypto';
import { existsSync, lstatSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { inOneLine, printable } from '../../stack/foreign-text.ts';
import { dockerProblem } from '../../stack/docker/engine.ts';
import { identityOf } from '../../stack/docker/owner.ts';
import { ROOT } from '../../stack/paths.ts';
import { until } from '../../stack/until.ts';
import { readClass, type Graded, type Row } from './class-file.ts';
import { classPage, notGradedPage } from './class-page.ts';
import { DRAFT, writeWhole } from '../report/files.ts';
import { leadsOut } from '../../pairs/folder.ts';
import { graderFiles } from './grader.ts';
import { gradesCsv } from './grades-csv.ts';
import { GradingProcess } from './grading-process.ts';
import { lock } from './lock.ts';
import { numberIn, path } from '../../pairs/options.ts';
import { Ungradable } from '../../pairs/ungradable.ts';
import { Unusable } from '../../stack/command.ts';
import { pairArguments, type Options } from '../options.ts';
import { meetsLab, type Report } from '../report/report.ts';
import { duration } from '../../stack/duration.ts';
import { readRubric } from '../rubric-file.ts';
import { sourcesOf } from '../../pairs/sources.ts';

/** What is kept of a finished row: it is graded again only when all of its keys are out of date. */
interface Kept {
  keys: string[];
  outcome: Graded;
}

const COMPOSE_FILES = ['compose.yaml', 'compose.yml', 'docker-compose.yaml', 'docker-compose.yml'];
const MAX_REPORT_BYTES = 32 * 1024 * 1024;

/**
 * Grades the rows of the class's file that are not finished, each by a process of its own, and keeps `grades.csv` and the
 * pages up to date meanwhile. Resolves to the exit code; throws an `Unusable` when it cannot begin.
 */
export async function gradeClass(options: Options, showProgress: (text: string) => void): Promise<number> {
  const run = await ClassRun.from(options, showProgress);
  return run.toItsEnd();
}

class ClassRun {
  readonly #rows: Row[];
  readonly #options: Options;
  readonly #from: string;
  readonly #out: string;
  readonly #limitMs: number;
  readonly #jobs: number;
  readonly #grader: string;
  readonly #rubric: { args: string[]; text: string };
  readonly #showProgress: (text: string) => void;
  readonly #outcomes = new Map<Row, Graded>();
  readonly #running = new Map<Row, GradingProcess | undefined>();
  /** How long each row took that this run has graded. */
  readonly #times: number[] = [];
  /** The table and the page of the class are written one after another, the newest state last. */
  #writing = Promise.resolve();
  #isStopping = false;

  private constructor(rows: Row[], options: Options, grader: string, showProgress: (text: string) => void) {
    this.#rows = rows;
    this.#options = options;
    this.#from = dirname(path(options.class!));
    this.#out = path(options.out!);
    this.#limitMs = numberIn(options, 'limit', 24 * 60) * 60_000;
    this.#jobs = Math.ceil(numberIn(options, 'jobs', 64));
    this.#grader = grader;
    const { rubric } = options;
    this.#rubric = rubric
      ? { args: [`--rubric=${path(rubric)}`], text: readRubric(rubric).text }
      : { args: [], text: '' };
    this.#showProgress = showProgress;
  }

  static async from(options: Options, showProgress: (text: string) => void): Promise<ClassRun> {
    const foreign = (['folder', 'name', 'json', 'proof', 'junit', 'gradescope'] as const).find((name) => options[name]);
    if (foreign) throw new Unusable(`--${foreign} is for one pair; leave it out, or leave --class out.`);
    if (!options.out) throw new Unusable('--out is missing: the folder for the grades of the class.');
    const bytes = await readFile(path(options.class!)).catch(({ code }) => {
      throw new Unusable(`The class's file ${options.class} cannot be read (${code}).`);
    });
    const rows = readClass(options.class!, bytes);
    const grader = hash(graderFiles().map((file) => [file.slice(ROOT.length), readFileSync(file, 'utf8')]));
    const run = new ClassRun(rows, options, grader, showProgress);
    run.#check();
    await mkdir(join(run.#out, 'students'), { recursive: true }).catch(({ message }) => {
      throw new Unusable(`The folder for the grades cannot be made: ${message}`);
    });
    return run;
  }

  /** What would otherwise go wrong for row after row. */
  #check() {
    const apart = this.#rows.filter((row) =>
      this.#argumentsFor(row)?.some((arg) => /^--(?:compose|isolate)=/.test(arg)),
    );
    const other = this.#rows.find((row) => !apart.includes(row));
    if (this.#jobs > 1 && other) {
      throw new Unusable(
        `--jobs ${this.#jobs} needs pairs that cannot meet: give --isolate, or each row a Compose file; row ${other.row} has none.`,
      );
    }
    const problem = apart.length > 0 && dockerProblem();
    if (problem)
      throw new Unusable(`No Docker Engine with Compose answers, and row ${apart[0]!.row} needs one: ${problem}`);
  }

  async toItsEnd(): Promise<number> {
    using _ = lock(this.#out);
    const stop = () => {
      this.#isStopping = true;
      for (const grading of this.#running.values()) grading?.stop();
    };
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, stop);
    await this.#clearUp();
    const queue = [...this.#rows];
    const work = async () => {
      for (let row = queue.shift(); row && !this.#isStopping; row = queue.shift()) await this.#finish(row);
    };
    await Promise.all(Array.from({ length: this.#jobs }, work));
    this.#showProgress('');
    if (this.#isStopping) {
      console.error(
        `Interrupted; the same command goes on with the ${this.#rows.length - this.#outcomes.size} that are left.`,
      );
      return 2;
    }
    const graded = [...this.#outcomes.values()].filter(({ scores }) => scores);
    const met = graded.filter(({ isMet }) => isMet).length;
    const not = this.#rows.length - graded.length;
    console.log(`${met} meet the lab's requirements, ${graded.length - met} do not, ${not} were not graded.`);
    console.log(`See ${join(this.#out, 'index.html')} and ${join(this.#out, 'grades.csv')}.`);
    return not > 0 ? 1 : 0;
  }

  /** Waits for what a run that was cut off left at work, which ends by itself, and removes its drafts. */
  async #clearUp() {
    for (const folder of [this.#out, join(this.#out, 'students')]) {
      for (const name of await readdir(folder)) {
        if (!name.startsWith(DRAFT)) continue;
        const grading = await readFile(join(folder, name, 'process'), 'utf8').catch(() => '');
        const hasEnded = async () => identityOf(parseInt(grading)) !== grading;
        if (grading) await until('a row that was cut off', hasEnded, 60_000).catch(() => {});
        await rm(join(folder, name), { recursive: true, force: true });
      }
    }
  }

  async #finish(row: Row) {
    this.#running.set(row, undefined);
    this.#tellWhatRuns();
    let outcome: Graded;
    try {
      outcome = await this.#outcomeOf(row);
    } catch (error) {
      const { message } = error as Error;
      outcome = await this.#notGraded(row, error instanceof Ungradable ? message : `The grader failed: ${message}`, 0);
    }
    this.#running.delete(row);
    if (this.#isStopping && !outcome.scores) return; // it was cut short
    const { size } = this.#outcomes.set(row, outcome);
    this.#writing = this.#writing.then(() => this.#write());
    await this.#writing;
    this.#showProgress('');
    console.log(`${size}/${this.#rows.length}  ${inOneLine(row.id)}: ${summary(outcome)}${this.#timeLeft(', ')}`);
  }

  async #write() {
    const finished = this.#rows.flatMap((row) =>
      this.#outcomes.has(row) ? [{ row, ...this.#outcomes.get(row)! }] : [],
    );
    await writeWhole(join(this.#out, 'grades.csv'), gradesCsv(finished));
    await writeWhole(join(this.#out, 'index.html'), classPage(finished, this.#rows.length));
  }

  async #outcomeOf(row: Row): Promise<Graded> {
    const folder = resolve(this.#from, row.folder);
    const args = this.#argumentsFor(row);
    const obstacle = this.#obstacle(row, folder, args);
    if (obstacle || !args) return this.#notGraded(row, obstacle!, 0);
    const keyNow = async () =>
      hash([this.#grader, args, this.#rubric.text, row.name, this.#limitMs, (await sourcesOf(folder)).hash]);
    const key = await keyNow();
    const record = join(this.#out, 'students', `${row.file}.json`);
    const page = join(this.#out, 'students', `${row.file}.html`);
    const kept = await keptIn(record);
    if (kept?.keys.includes(key) && existsSync(page)) return { ...kept.outcome, isKept: true };

    const start = performance.now();
    const drafts = await mkdtemp(join(this.#out, 'students', DRAFT));
    try {
      const [json, proof] = [join(drafts, 'report.json'), join(drafts, 'proof')];
      const outputs = [`--folder=${folder}`, `--name=${row.name}`, `--json=${json}`, `--proof=${proof}`];
      const grading = new GradingProcess(folder, [...args, ...this.#rubric.args, ...outputs]);
      this.#running.set(row, grading);
      writeFileSync(join(drafts, 'process'), identityOf(grading.pid) ?? '');
      if (this.#isStopping) grading.stop();
      const { code, said, isLate } = await grading.end(this.#limitMs);
      const ms = Math.round(performance.now() - start);
      if (!this.#isStopping) this.#times.push(ms);
      const report = await reportIn(json);
      let outcome: Graded;
      if (report && !report.reason) {
        const { results, scores } = report;
        outcome = {
          ...{ isMet: meetsLab(results), scores, ms },
          results: results.map(({ name, section, verdict }) => ({ name, section, verdict })),
        };
        await rename(`${proof}.html`, page);
      } else {
        const late = isLate && `It was not finished after ${duration(this.#limitMs)}.`;
        const reason = report?.reason ?? (late || said || `The grader ended with code ${code}.`);
        outcome = await this.#notGraded(row, reason, ms);
      }
      // A build may have left files among the sources, and links that lead out: that is no change.
      if ((report || isLate) && !this.#isStopping)
        await writeWhole(record, JSON.stringify({ keys: [key, await keyNow().catch(() => key)], outcome }));
      return outcome;
    } finally {
      await rm(drafts, { recursive: true, force: true });
    }
  }

  /** Why a row cannot be graded, where that can be seen beforehand. */
  #obstacle({ folder: name }: Row, folder: string, args: string[] | undefined): string | undefined {
    if (!isFolder(folder)) return `There is no folder ${name}.`;
    if (lstatSync(folder).isSymbolicLink()) return `The folder ${name} is a symbolic link; name the folder itself.`;
    if (!leadsOut(folder, this.#out))
      return `The folder ${name} holds the grades of the class, too; keep these in another one (--out).`;
    if (!args) return `The row has no commands, and the folder ${name} no Compose file.`;
    for (const arg of args) {
      const [, option, path] = /^(--a-dir|--b-dir|--compose)=(.*)/s.exec(arg) ?? [];
      const place = option && leadsOut(folder, path!);
      if (place) return `The option ${option} leads out of the folder ${name}, to ${place}; name what is inside of it.`;
    }
    return;
  }

  async #notGraded(row: Row, why: string, ms: number): Promise<Graded> {
    const reason = printable(why, 1000);
    const base = join(this.#out, 'students', row.file);
    await rm(`${base}.json`, { force: true }); // of an earlier grade, whose page goes now
    await writeWhole(`${base}.html`, notGradedPage(row.name, reason));
    return { isMet: false, results: [], reason, ms };
  }

  /** The options for the row's pair, as seen from its folder; undefined when it has none. */
  #argumentsFor(row: Row): string[] | undefined {
    const args = pairArguments(this.#options, row.options);
    if (args.some((arg) => /^--(?:a|b|compose)=/.test(arg))) return args;
    const file = COMPOSE_FILES.find((name) => existsSync(resolve(this.#from, row.folder, name)));
    return file ? pairArguments(this.#options, { ...row.options, compose: file }) : undefined;
  }

  #tellWhatRuns() {
    const names = [...this.#running.keys()].map(({ id }) => id).join(', ');
    this.#showProgress(`${this.#outcomes.size}/${this.#rows.length} grading ${names}${this.#timeLeft(', ')}`);
  }

  #timeLeft(before: string): string {
    const rows = this.#rows.length - this.#outcomes.size;
    if (rows === 0 || this.#times.length === 0) return '';
    const mean = this.#times.reduce((sum, ms) => sum + ms, 0) / this.#times.length;
    return `${before}about ${duration((mean * rows) / Math.min(this.#jobs, rows))} left`;
  }
}

function summary({ isMet, scores, reason, ms, isKept }: Graded): string {
  if (!scores) return `not graded: ${reason}`;
  const { lab, robustness } = scores;
  const when = isKept ? 'as before' : `in ${duration(ms)}`;
  return `${isMet ? 'met' : 'not met'}, ${lab.passed} of ${lab.of}, robustness ${robustness.passed} of ${robustness.of}, ${when}`;
}

async function keptIn(file: string): Promise<Kept | undefined> {
  try {
    return JSON.parse(await readFile(file, 'utf8'));
  } catch {
    return;
  }
}

async function reportIn(file: string): Promise<Report | undefined> {
  if (!existsSync(file)) return;
  if (statSync(file).size > MAX_REPORT_BYTES) throw new Error('its report is longer than 32 MiB.');
  return JSON.parse(await readFile(file, 'utf8'));
}

const hash = (value: unknown) => createHash('sha256').update(JSON.stringify(value)).digest('hex');

function isFolder(path: string): boolean {
  return existsSync(path) && statSync(path).isDirectory();
}

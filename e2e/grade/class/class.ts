import { createHash } from 'node:crypto';
import { existsSync, lstatSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { filesIn, findPair } from '../../pairs/find.ts';
import { leadsOut } from '../../pairs/folder.ts';
import { numberIn, path } from '../../pairs/options.ts';
import { sourcesOf } from '../../pairs/sources.ts';
import { Ungradable } from '../../pairs/ungradable.ts';
import { Unusable } from '../../stack/command.ts';
import { dockerProblem } from '../../stack/docker/engine.ts';
import { identityOf } from '../../stack/docker/owner.ts';
import { duration } from '../../stack/duration.ts';
import { inOneLine } from '../../stack/foreign-text.ts';
import { ROOT } from '../../stack/paths.ts';
import { until } from '../../stack/until.ts';
import { pairArguments, type Options } from '../options.ts';
import { DRAFT, writeWhole } from '../report/files.ts';
import { FORMAT_NAMES } from '../report/formats.ts';
import { pairPage } from '../report/page.ts';
import { readReport } from '../report/report.ts';
import { readRubric } from '../rubric-file.ts';
import { canvasCsv } from './canvas-csv.ts';
import { readClass, type Graded, type Row } from './class-file.ts';
import { classPage, howMany, notGradedPage, studentNotes } from './class-page.ts';
import { graderFiles } from './grader.ts';
import { gradesCsv } from './grades-csv.ts';
import { GradingProcess } from './grading-process.ts';
import { beforeNow, keptIn, outcomeBy, summary, type Kept, type Rubric } from './kept.ts';
import { lock } from './lock.ts';

const NOT_YET = 'Not graded yet.';

/**
 * Grades the rows of the class's file that are not finished, each by a process of its own, and keeps `grades.csv` and the
 * pages up to date during the run. Resolves to the exit code; throws an `Unusable` when it cannot begin.
 */
export async function gradeClass(options: Options, showProgress: (text: string) => void): Promise<number> {
  const run = await ClassRun.from(options, showProgress);
  return run.toItsEnd();
}

class ClassRun {
  readonly #rows: Row[];
  /** Those that are graded now. */
  readonly #asked: Row[];
  readonly #options: Options;
  readonly #from: string;
  readonly #out: string;
  readonly #limitMs: number;
  readonly #jobs: number;
  readonly #grader: string;
  readonly #rubric: Rubric | undefined;
  readonly #showProgress: (text: string) => void;
  readonly #outcomes = new Map<Row, Graded>();
  /** What earlier runs found, which stands until a row is finished. */
  readonly #before = new Map<Row, Graded>();
  readonly #running = new Map<Row, GradingProcess | undefined>();
  /** How long each row took that this run has graded. */
  readonly #times: number[] = [];
  /** The table and the page of the class are written one after another, the newest state last. */
  #writing = Promise.resolve();
  #isStopping = false;

  private constructor(rows: Row[], options: Options, grader: string, showProgress: (text: string) => void) {
    this.#rows = rows;
    this.#options = options;
    const { only } = options;
    this.#asked = rows.filter(({ id }) => only === undefined || id === only);
    if (this.#asked.length === 0) throw new Unusable(`No row of the class has the id ${only} (--only).`);
    this.#from = dirname(path(options.class!));
    this.#out = path(options.out!);
    this.#limitMs = numberIn(options, 'limit', 24 * 60) * 60_000;
    this.#jobs = Math.ceil(numberIn(options, 'jobs', 64));
    this.#grader = grader;
    const { rubric } = options;
    this.#rubric = rubric ? { file: rubric, weigh: readRubric(rubric) } : undefined;
    this.#showProgress = showProgress;
  }

  static async from(options: Options, showProgress: (text: string) => void): Promise<ClassRun> {
    const foreign = (['folder', 'name', 'proof', 'rescore', ...FORMAT_NAMES] as const).find((name) => options[name]);
    if (foreign) throw new Unusable(`--${foreign} is for one pair; leave it out, or leave --class out.`);
    if (options.canvas?.trim() === '') throw new Unusable('--canvas is empty; it is the name of the assignment.');
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
    const runs = this.#rows.flatMap((row) => {
      const pair = this.#pairOf(row);
      return typeof pair === 'string' ? [] : [{ row, isApart: pair.isApart }];
    });
    const apart = runs.filter(({ isApart }) => isApart).map(({ row }) => row);
    const other = runs.find(({ isApart }) => !isApart)?.row;
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
    for (const row of this.#rows) {
      const kept = await keptIn(this.#fileOf(row, 'json'));
      if (kept) this.#before.set(row, outcomeBy(this.#rubric, kept, true).outcome);
    }
    const queue = [...this.#asked];
    const work = async () => {
      for (let row = queue.shift(); row && !this.#isStopping; row = queue.shift()) await this.#finish(row);
    };
    await Promise.all(Array.from({ length: this.#jobs }, work));
    this.#showProgress('');
    if (this.#isStopping) {
      console.error(
        `Interrupted; the same command goes on with the ${this.#asked.length - this.#outcomes.size} that are left.`,
      );
      return 2;
    }
    const graded = [...this.#outcomes.values()].filter(({ scores }) => scores);
    const met = graded.filter(({ isMet }) => isMet).length;
    const not = this.#asked.length - graded.length;
    console.log(howMany(met, graded.length - met, not));
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
    console.log(`${size}/${this.#asked.length}  ${inOneLine(row.id)}: ${summary(outcome)}${this.#timeLeft(', ')}`);
  }

  async #write() {
    const all = this.#rows.map((row) => ({ row, ...this.#outcomeSoFar(row) }));
    await writeWhole(join(this.#out, 'grades.csv'), gradesCsv(all));
    await writeWhole(join(this.#out, 'index.html'), classPage(all));
    const { canvas } = this.#options;
    const gradebook = join(this.#out, 'canvas.csv');
    if (canvas !== undefined) await writeWhole(gradebook, canvasCsv(all, canvas));
    else await rm(gradebook, { force: true }); // else an old one would be taken for one of these grades
  }

  #outcomeSoFar(row: Row): Graded {
    return this.#outcomes.get(row) ?? this.#before.get(row) ?? { isMet: false, results: [], ms: 0, reason: NOT_YET };
  }

  #fileOf = ({ file }: Row, ending: string) => join(this.#out, 'students', `${file}.${ending}`);

  async #outcomeOf(row: Row): Promise<Graded> {
    const folder = resolve(this.#from, row.folder);
    const pair = this.#pairOf(row);
    const obstacle = typeof pair === 'string' ? pair : this.#obstacle(row, folder, pair.args);
    if (obstacle !== undefined || typeof pair === 'string') return this.#notGraded(row, obstacle!, 0);
    const { args } = pair;
    const keyNow = async () => hash([this.#grader, args, row.name, this.#limitMs, (await sourcesOf(folder)).hash]);
    const key = await keyNow();
    const kept = await keptIn(this.#fileOf(row, 'json'));
    if (kept?.keys.includes(key)) return this.#present(row, kept, true);

    const start = performance.now();
    const drafts = await mkdtemp(join(this.#out, 'students', DRAFT));
    try {
      const json = join(drafts, 'report.json');
      const outputs = [`--folder=${folder}`, `--name=${row.name}`, `--json=${json}`];
      const grading = new GradingProcess(folder, [...args, ...outputs]);
      this.#running.set(row, grading);
      writeFileSync(join(drafts, 'process'), identityOf(grading.pid) ?? '');
      if (this.#isStopping) grading.stop();
      const { code, said, isLate } = await grading.end(this.#limitMs);
      const ms = Math.round(performance.now() - start);
      if (!this.#isStopping) this.#times.push(ms);
      const late = isLate && `It was not finished after ${duration(this.#limitMs)}.`;
      const written = existsSync(json) ? await readReport(json) : undefined;
      const report = written ?? { reason: late || said || `The grader ended with code ${code}.` };
      if (this.#isStopping && !written) return { isMet: false, results: [], ms, reason: NOT_YET };
      const now = { report, ms, attempt: (kept?.attempt ?? 0) + 1, before: beforeNow(this.#rubric, kept) };
      // A build may have left files among the sources, and links that lead out: that is no change.
      if (written || isLate) {
        const keys = [key, await keyNow().catch(() => key)];
        await writeWhole(this.#fileOf(row, 'json'), JSON.stringify({ keys, ...now } satisfies Kept));
      }
      return this.#present(row, now);
    } finally {
      await rm(drafts, { recursive: true, force: true });
    }
  }

  /** Writes the row's page, which a changed rubric may change too. */
  async #present(row: Row, graded: Omit<Kept, 'keys'>, isKept = false): Promise<Graded> {
    const { outcome, report } = outcomeBy(this.#rubric, graded, isKept);
    const page = report ? pairPage(report, studentNotes(row, outcome)) : notGradedPage(row, outcome.reason!);
    await writeWhole(this.#fileOf(row, 'html'), page);
    return outcome;
  }

  /** Why a row cannot be graded, where that can be seen beforehand. */
  #obstacle({ folder: name }: Row, folder: string, args: string[]): string | undefined {
    if (!isFolder(folder)) return `There is no folder ${name}.`;
    if (lstatSync(folder).isSymbolicLink()) return `The folder ${name} is a symbolic link; name the folder itself.`;
    if (!leadsOut(folder, this.#out))
      return `The folder ${name} holds the grades of the class, too; keep these in another one (--out).`;
    for (const arg of args) {
      const [, option, path] = /^(--a-dir|--b-dir|--compose)=(.*)/s.exec(arg) ?? [];
      const place = option && leadsOut(folder, path!);
      if (place) return `The option ${option} leads out of the folder ${name}, to ${place}; name what is inside of it.`;
    }
    return;
  }

  async #notGraded(row: Row, reason: string, ms: number): Promise<Graded> {
    await rm(this.#fileOf(row, 'json'), { force: true }); // of an earlier grade, whose page goes now
    return this.#present(row, { report: { reason }, ms, attempt: 0 });
  }

  /** The options for the row's pair, as seen from its folder, and whether it can meet another one; or why it has none. */
  #pairOf(row: Row): { args: string[]; isApart: boolean } | string {
    const args = pairArguments(this.#options, row.options);
    const isIsolated = args.some((arg) => arg.startsWith('--isolate='));
    if (args.some((arg) => /^--(?:a|b|compose)=/.test(arg)))
      return { args, isApart: isIsolated || args.some((arg) => arg.startsWith('--compose=')) };
    const folder = resolve(this.#from, row.folder);
    if (!isFolder(folder)) return `There is no folder ${row.folder}.`;
    try {
      return { args, isApart: findPair(filesIn(folder), isIsolated).options.compose !== undefined || isIsolated };
    } catch (error) {
      if (error instanceof Ungradable) return error.message;
      return `The folder ${row.folder} cannot be read: ${(error as Error).message}.`;
    }
  }

  #tellWhatRuns() {
    const names = [...this.#running.keys()].map(({ id }) => id).join(', ');
    this.#showProgress(`${this.#outcomes.size}/${this.#asked.length} grading ${names}${this.#timeLeft(', ')}`);
  }

  #timeLeft(before: string): string {
    const rows = this.#asked.length - this.#outcomes.size;
    if (rows === 0 || this.#times.length === 0) return '';
    const mean = this.#times.reduce((sum, ms) => sum + ms, 0) / this.#times.length;
    return `${before}about ${duration((mean * rows) / Math.min(this.#jobs, rows))} left`;
  }
}

const hash = (value: unknown) => createHash('sha256').update(JSON.stringify(value)).digest('hex');

function isFolder(path: string): boolean {
  return existsSync(path) && statSync(path).isDirectory();
}

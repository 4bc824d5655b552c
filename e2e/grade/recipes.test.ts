import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { ROOT } from '../stack/paths.ts';
import { freePort } from '../stack/process/ports.ts';

const SOUND = readFileSync(`${ROOT}e2e/pairs/fixtures/faulty_pair.py`, 'utf8');
const README = readFileSync(`${ROOT}e2e/grade/README.md`, 'utf8');

/** The block of code that follows the mark of a recipe. */
function recipe(name: string): string {
  const [, code] = new RegExp(`<!-- recipe: ${name} -->\n\n\`\`\`\\w+\n(.*?)\`\`\``, 's').exec(README)!;
  return code!;
}

describe("The recipes in the grade's README", function () {
  this.timeout(120_000);
  const dirs: string[] = [];

  /** Writes a checkout of this repository with its installed packages, and a pair in Python, perhaps with another B. */
  function lay(repository: string, submission: string, b = SOUND) {
    mkdirSync(repository, { recursive: true });
    for (const part of ['e2e', 'service-a', 'service-b', 'package.json'])
      cpSync(join(ROOT, part), join(repository, part), { recursive: true });
    symlinkSync(join(ROOT, 'node_modules'), join(repository, 'node_modules'));
    for (const [role, app] of Object.entries({ a: SOUND, b })) {
      mkdirSync(join(submission, `service-${role}`), { recursive: true });
      const text = app.replace(/^ROLE, FAULT = .*$/m, `ROLE, FAULT = "${role}", ""`);
      writeFileSync(join(submission, `service-${role}`, 'app.py'), text);
    }
  }

  /** Runs the commands of a recipe in a shell, on ports of its own. Resolves to the exit code and the output. */
  async function run(script: string, cwd: string) {
    const urls = await ownUrls();
    const own = script.replaceAll(/run (?:--silent )?grade --/g, `$& ${urls}`);
    expect(own).not.to.equal(script);
    const env = { ...process.env, PATH: `${dirname(process.execPath)}:${process.env.PATH}` };
    return new Promise<{ code: number; stdout: string }>((resolve) => {
      execFile('bash', ['-c', own], { cwd, env, timeout: 110_000 }, (error, stdout) =>
        resolve({ code: Number(error?.code ?? 0), stdout }),
      );
    });
  }

  const ownUrls = async () =>
    `--a-url http://127.0.0.1:${await freePort()} --b-url http://127.0.0.1:${await freePort()} --timeout 1`;

  /** A test in a folder of its own. It starts before the first one is waited for: a grade mostly waits. */
  function follow(title: string, test: (dir: string) => Promise<void>) {
    let result: Promise<void>;
    before(async () => {
      const dir = await mkdtemp(join(tmpdir(), 'recipes-'));
      dirs.push(dir);
      result = test(dir);
      result.catch(() => {}); // the test reports it
    });
    it(title, () => result);
  }

  after(() => Promise.all(dirs.map((dir) => rm(dir, { recursive: true, force: true }))));

  follow('make the zip file for Gradescope', async (dir) => {
    for (const name of ['setup.sh', 'run_autograder']) writeFileSync(join(dir, name), recipe(name));
    const commit = 'git init -q; touch README.md; git add README.md; git -c user.name=x -c user.email=x commit -qm x';
    const list = 'python3 -m zipfile -e autograder.zip unpacked; cd unpacked; ls -d *; ls two-services';
    const { stdout } = await promisify(execFile)('bash', ['-ec', `${commit}\n${recipe('zip')}${list}`], { cwd: dir });
    expect(stdout).to.equal('run_autograder\nsetup.sh\ntwo-services\nREADME.md\n');
  });

  follow('grade a submission on Gradescope', async (dir) => {
    const script = recipe('run_autograder').replaceAll('/autograder/', `${dir}/`);
    lay(join(dir, 'source/two-services'), join(dir, 'submission'));
    mkdirSync(join(dir, 'results'));
    const { code } = await run(script, dir);
    expect(code).to.equal(0);
    const { tests } = JSON.parse(readFileSync(join(dir, 'results/results.json'), 'utf8'));
    const scored = tests.filter((test: any) => test.max_score);
    expect(scored).to.have.length.above(10);
    for (const { name, score, max_score } of scored) expect(score, name).to.equal(max_score);
  });

  follow('give a submission without its folders no points on Gradescope, and the reason', async (dir) => {
    const script = recipe('run_autograder').replaceAll('/autograder/', `${dir}/`);
    lay(join(dir, 'source/two-services'), join(dir, 'elsewhere'));
    mkdirSync(join(dir, 'results'));
    expect((await run(script, dir)).code).to.equal(0);
    const { score, output } = JSON.parse(readFileSync(join(dir, 'results/results.json'), 'utf8'));
    expect(score).to.equal(0);
    expect(output).to.match(/^There is no directory .*submission\/service-a/);
  });

  follow('grade a submission in Classroom 50', async (dir) => {
    const repository = join(dir, 'two-services');
    const submission = join(dir, 'submission');
    lay(repository, submission);
    const a = join(submission, 'service-a/app.py');
    writeFileSync(a, readFileSync(a, 'utf8').replaceAll('call-echo', 'none')); // otherwise it could be B as well
    const given = recipe('autograder.py').replaceAll('"/tmp/two-services"', JSON.stringify(repository));
    const script = given
      .replace(/^subprocess.run\(\["(?:git|npm)", "(?:clone|ci)".*\n/gm, '') // which would need the network
      .replace(
        '"--", ',
        `"--", ${(await ownUrls())
          .split(' ')
          .map((part) => `"${part}", `)
          .join('')}`,
      );
    expect(script.split('\n')).to.have.length(given.split('\n').length - 2);
    const names = ['CLASSROOM', 'ASSIGNMENT', 'SUBMISSION_TAG', 'COMMIT_URL', 'RELEASE_URL', 'REVIEW_URL'];
    const env = { ...process.env, PATH: `${dirname(process.execPath)}:${process.env.PATH}` };
    await promisify(execFile)('python3', ['-c', script], {
      cwd: submission,
      env: { ...env, ...Object.fromEntries(names.map((name) => [name, `the ${name}`])) },
      timeout: 110_000,
    });
    const result = JSON.parse(readFileSync(join(submission, 'result.json'), 'utf8'));
    expect(result).to.include({
      schema: 'classroom50/result/v1',
      classroom: 'the CLASSROOM',
      review: 'the REVIEW_URL',
    });
    expect(result.score).to.equal(result['max-score']).and.to.be.above(10);
  });

  follow('grade a class', async (dir) => {
    const [, csv] = /```csv\n(.*?)```/s.exec(README)!;
    const [, command] = /```sh\n(npm run grade -- --class .*?)```/s.exec(README)!;
    lay(join(dir, 'two-services'), join(dir, 'submissions/ada'), 'raise SystemExit("it broke here")');
    const [heading, ada] = csv!.split('\n'); // the other row's Compose file is another test's
    writeFileSync(join(dir, 'class.csv'), `${heading}\n${ada}\n`);
    const { code } = await run(`npm --prefix two-services run grade -- ${command!.split(' -- ')[1]}`, dir);
    expect(code).to.equal(0);
    expect(readFileSync(join(dir, 'report/grades.csv'), 'utf8')).to.match(/^1001,"Lovelace, Ada",not met,/m);
    expect(readFileSync(join(dir, 'report/students/1001.html'), 'utf8')).to.contain('it broke here');
  });

  follow('grade a push in a GitHub workflow', async (dir) => {
    const steps = [...recipe('workflow').matchAll(/- run: (.*)\n +working-directory: (.*)\n/g)];
    expect(steps.map(([, command]) => command!.split(' -- ')[0])).to.deep.equal(['npm ci', 'npm run --silent grade']);
    lay(join(dir, 'two-services'), join(dir, 'submission'), 'raise SystemExit("it broke here")');
    // The test runs two processes instead of the recipe's containers.
    const [, command, folder] = steps[1]!;
    const ours = command!.replace(
      /--compose (\S+)\/docker-compose.yml/,
      "--a 'python3 app.py' --b 'python3 app.py' --a-dir $1/service-a --b-dir $1/service-b",
    );
    expect(ours).not.to.equal(command);
    const { code, stdout } = await run(ours, join(dir, folder!));
    expect(code).to.equal(1);
    expect(stdout).to.contain('it broke here');
    expect(readFileSync(join(dir, 'junit.xml'), 'utf8')).to.match(
      /<testsuites name="pair" tests="\d+" failures="[1-9]/,
    );
    expect(readFileSync(join(dir, 'proof.html'), 'utf8')).to.contain('it broke here');
    expect(readFileSync(join(dir, 'proof.md'), 'utf8')).to.contain('# Proof');
  });
});

import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { sanitize } from './foreign-text.ts';
import { quoted } from './shell.ts';

/** Names that a folder can have. */
const PLAIN = [
  'service-a',
  'a.b_c:d=e@f%g+h,i',
  '-rf',
  '=ls',
  '~',
  '#x',
  '*',
  'two words',
  'naïve 你好',
  '\\',
  '"$HOME"',
];
const HOSTILE = [
  "q'$(touch made)x",
  "';touch made;'",
  '`touch made`',
  '$(touch made)',
  'a&touch made&',
  '!!',
  "it's !x",
  "\\'",
];
const INVISIBLE = [
  'a\ntouch made\n',
  '\n',
  'tab\there',
  '\x1b[201~\ntouch made\n',
  "\x1b'$(touch made)\\",
  "a\u202e'; touch made; '",
  '\u3164\u200b1',
  '\x7f!!$x',
  '\x9b2J',
];

describe('A quoted text', () => {
  let parent: string;

  beforeEach(() => {
    parent = mkdtempSync(join(tmpdir(), 'quoted-'));
  });
  afterEach(() => rmSync(parent, { recursive: true }));

  /** What a shell does with a command that is pasted. */
  function paste(shell: string, command: string) {
    const { stdout, status } = spawnSync(shell, ['-c', command], { cwd: parent, encoding: 'utf8' });
    return { stdout, status };
  }

  for (const name of [...PLAIN, ...HOSTILE, ...INVISIBLE]) {
    const title = sanitize(JSON.stringify(name));
    const isVisible = !INVISIBLE.includes(name);

    for (const shell of isVisible ? ['bash', 'dash'] : ['bash']) {
      it(`names the folder ${title} in ${shell}, and runs nothing`, () => {
        const folder = join(parent, name);
        mkdirSync(folder);
        const command = `cd ${quoted(folder)} && printf '%s|' "$PWD" ${quoted(name)}`;
        expect(paste(shell, command)).to.deep.equal({ stdout: `${folder}|${name}|`, status: 0 });
        expect(readdirSync(parent)).to.deep.equal([name]);
        expect(readdirSync(folder)).to.deep.equal([]);
      });
    }

    if (isVisible) continue;
    it(`shows all of ${title}, and runs nothing where a shell cannot read it`, () => {
      expect(quoted(name)).to.match(/^\$'[^\p{C}\u3164]+'$/u);
      paste('dash', `cd ${quoted(join(parent, name))}; printf %s ${quoted(name)}`);
      expect(readdirSync(parent)).to.deep.equal([]);
    });
  }

  it('stays as it is where no shell would change it', () => {
    expect(quoted('/srv/two-services/e2e_1:a=b@c%d+e,f')).to.equal('/srv/two-services/e2e_1:a=b@c%d+e,f');
    expect(quoted('')).to.equal("''");
    expect(quoted('=ls')).to.equal("'=ls'"); // zsh has the path of ls there
  });

  it('is not changed by the history of a shell', () => {
    const texts = ['!!', "it's !x", '\x7f!!$x'];
    const input = [
      `set -o history -H`,
      `printf '%s|' again`,
      '!!',
      ...texts.map((text) => `printf '%s|' ${quoted(text)}`),
    ];
    const { stdout } = spawnSync('bash', { input: `${input.join('\n')}\n`, encoding: 'utf8' });
    expect(stdout).to.equal(`again|again|${texts.join('|')}|`);
  });
});

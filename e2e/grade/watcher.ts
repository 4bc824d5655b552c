/**
 * Outlives a grade that is killed, and then removes what it left: `node watcher.ts WHAT`, with JSON such as
 * `{"trail": {"mark": "…", "ports": [8080], "dirs": ["…"]}, "commands": [["docker", "rm", "…"]]}`. It waits for the end of its standard input, which
 * is the end of the grade; a line on it says that there is nothing to remove.
 */
import { spawnSync } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { endSurvivors } from './survivors.ts';

// SIGTERM ends it: the grade sends that when it removes everything by itself.
for (const signal of ['SIGINT', 'SIGHUP'] as const) process.on(signal, () => {});

const { trail, commands = [] } = JSON.parse(process.argv[2]!);
if (!(await text(process.stdin))) {
  if (trail) endSurvivors(trail);
  for (const [command, ...args] of commands) spawnSync(command, args, { timeout: 60_000 });
}

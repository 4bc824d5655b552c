import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import { paste } from '../docs/shell.ts';
import { addressesOf, inspectContainer } from '../stack/docker/engine.ts';
import { removeAtExit } from '../stack/process/at-exit.ts';
import { ROOT } from '../stack/paths.ts';
import { freePort } from '../stack/process/ports.ts';

const MACHINES = `${ROOT}e2e/swarm/machines.yml`;
export const NODES = ['node1', 'node2', 'node3'];
/** What the chapter tells its reader to define. */
const FUNCTIONS = `machines() { docker compose --file e2e/swarm/machines.yml "$@"; }
on() { machines exec -T "$@"; }`;

/** One of A's log lines: the call that it answered, with the replica, its version and its node. */
export interface Served {
  requestId: string;
  node: string;
  replica: string;
  image: string;
}

/** Follows the chapter as a reader, on machines, ports and image tags of its own. */
export async function newMachines() {
  const own = randomBytes(4).toString('hex');
  const ports = await Promise.all(NODES.map(() => freePort()));
  const env: NodeJS.ProcessEnv = { ...process.env, COMPOSE_PROJECT_NAME: `machines-${own}` };
  for (const [index, port] of ports.entries()) env[`NODE${index + 1}_PORT`] = String(port);
  const tags = ['service-a:1', 'service-a:2', 'service-a:3', 'service-a:bad', 'service-b:1', 'service-b:2'];
  const images = tags.map((tag) => `two-services/${tag}-${own}`);
  const options = { cwd: ROOT, env };
  const shell = {
    env,
    own: (commands: string) => {
      const tagged = commands
        .replace(/(two-services\/service-[ab]):(\w+)/g, `$1:$2-${own}`)
        .replace(/IMAGE_TAG=(\w+)/g, `IMAGE_TAG=$1-${own}`);
      const there = ports.reduce(
        (text, port, index) => text.replaceAll(`localhost:1808${index + 1}`, `localhost:${port}`),
        tagged,
      );
      return `${FUNCTIONS}\n${there}`;
    },
    told: (printed: string) => printed.replaceAll(`-${own}`, ''),
  };
  const sh = (script: string) => paste(script, { env }, true);

  function remove() {
    const down = ['compose', '--file', MACHINES, 'down', '--volumes', '--timeout', '1'];
    spawnSync('docker', ['compose', '--file', MACHINES, 'unpause'], options); // what is frozen cannot be removed
    spawnSync('docker', down, options);
    spawnSync('docker', ['image', 'rm', '--force', ...images], options);
  }
  const forget = removeAtExit(remove);

  return {
    /** Runs a command exactly as the chapter has it, and resolves to what it printed. */
    run: (command: string) => paste(command, shell, true),
    sh,
    /** Where this host reaches the node's B without a proxy between, so that a refused connection is seen as one. */
    async addressOf(node: string): Promise<string> {
      return addressesOf(await inspectContainer(`machines-${own}-${node}-1`))[0]!;
    },
    /** The calls that A's replicas on these nodes have answered with 200 since `seconds` of the epoch. */
    async served(nodes: string[], seconds: number): Promise<Served[]> {
      const list = `docker ps --all --filter name=service-a --format '{{.ID}} {{.Image}}'`;
      const script = `${list} | while read id image; do echo "$id $image"; docker logs --since ${seconds} $id 2>/dev/null | grep /echo | grep :200,; done; true`;
      const outputs = await Promise.all(
        nodes.map((node) =>
          sh(`docker exec machines-${own}-${node}-1 sh -c ${JSON.stringify(script).replaceAll('$', '\\$')}`),
        ),
      );
      return outputs.flatMap((output, index) => {
        let [replica, image] = ['', ''];
        return output.split('\n').flatMap((line) => {
          const requestId = /"request_id":"([^"]+)"/.exec(line)?.[1];
          if (requestId) return [{ requestId, node: nodes[index]!, replica, image }];
          [replica = '', image = ''] = line.replaceAll(`-${own}`, '').split(' ');
          return [];
        });
      });
    },
    down() {
      remove();
      forget();
    },
  };
}

export type Machines = Awaited<ReturnType<typeof newMachines>>;

/**
 * Calls one of the `addresses` over a connection of its own, and the next of them when that is refused, or is reset before
 * the request could be written: then no one has seen the request. Rejects when no whole answer comes within 5 s.
 * A raw socket, as the caller shares the machine with what it measures.
 */
export async function callAny(addresses: string[], requestId: string): Promise<{ status: number; json?: any }> {
  for (const [index, address] of addresses.entries()) {
    try {
      return await ask(address, requestId);
    } catch (error) {
      const { code, syscall } = error as NodeJS.ErrnoException;
      const isUnsent = code === 'ECONNREFUSED' || (code === 'ECONNRESET' && syscall !== 'read');
      if (!isUnsent || index === addresses.length - 1) throw error;
    }
  }
  throw new Error('There is no address to call.');
}

function ask(address: string, requestId: string): Promise<{ status: number; json?: any }> {
  return new Promise((resolve, reject) => {
    let received = '';
    const head = `GET /call-echo?msg=hello HTTP/1.1\r\nHost: b\r\nx-request-id: ${requestId}\r\nConnection: close\r\n\r\n`;
    const socket = connect(8081, address, () => socket.write(head));
    socket.setEncoding('utf8').on('data', (chunk) => (received += chunk));
    socket.on('error', reject);
    socket.setTimeout(5000, () => socket.destroy(new Error('No answer within 5 s.')));
    socket.on('close', () => {
      const [, status, body] = /^HTTP\/1\.1 (\d{3}) [^]*?\r\n\r\n([^]+)$/.exec(received) ?? [];
      if (!body) reject(new Error('The connection ended before the answer.'));
      else resolve({ status: Number(status), json: JSON.parse(body) });
    });
  });
}

/**
 * An HTTP proxy that lets callers through to some hosts and to no other: `HOSTS` in its environment is JSON such as
 * `["registry.npmjs.org", "mirror.example:8080"]`; without a port, 443 and 80 are meant. It listens at `SOCKET`, a path. It
 * needs nothing but Node, and runs from its text alone.
 */
import { rmSync } from 'node:fs';
import { createServer, request } from 'node:http';
import { connect } from 'node:net';

const hosts: string[] = JSON.parse(process.env.HOSTS!);

function isAllowed({ hostname, port }: URL, usualPort: string): boolean {
  const at = port || usualPort;
  return hosts.includes(`${hostname}:${at}`) || (hosts.includes(hostname) && ['443', '80'].includes(at));
}

const refusal = (host: string) => `The setup may not reach ${host}; --setup-hosts names more hosts.\n`;

const server = createServer((asked, answer) => {
  const url = URL.parse(asked.url!);
  if (!url || url.protocol !== 'http:' || !isAllowed(url, '80')) return answer.writeHead(403).end(refusal(asked.url!));
  const { 'proxy-connection': _, ...given } = asked.headers;
  const headers = { ...given, host: url.host };
  const call = request(url, { method: asked.method, headers, agent: false }, (response) => {
    answer.writeHead(response.statusCode!, response.headers);
    response.pipe(answer);
  });
  call.on('error', () => (answer.headersSent ? answer.destroy() : answer.writeHead(502).end()));
  asked.pipe(call);
});

server.on('connect', (asked, caller, head) => {
  const url = URL.parse(`https://${asked.url}`);
  caller.on('error', () => {}); // it has left
  if (!url || !isAllowed(url, '443')) {
    const body = refusal(asked.url!);
    return caller.end(`HTTP/1.1 403 Forbidden\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
  }
  const target = connect({ host: url.hostname, port: Number(url.port || 443) }, () => {
    caller.write('HTTP/1.1 200 OK\r\n\r\n');
    target.write(head);
    caller.pipe(target).pipe(caller);
  });
  target.on('error', () => caller.destroy());
  caller.on('close', () => target.destroy());
});

rmSync(process.env.SOCKET!, { force: true });
server.listen(process.env.SOCKET);

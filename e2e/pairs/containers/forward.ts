/**
 * Hands on whatever comes: `FORWARD` in its environment is JSON such as `[[8080, "/sockets/a"], ["/sockets/b", 8081]]`, with
 * where to listen and where to connect, each a port (of 127.0.0.1 to connect to), a socket's path or, to connect to, a host
 * and its port (`service-a:8080`). It needs nothing but Node, and runs from its text alone.
 */
import { rmSync } from 'node:fs';
import { connect, createServer, type NetConnectOpts } from 'node:net';

for (const [from, to] of JSON.parse(process.env.FORWARD!) as [number | string, number | string][]) {
  const server = createServer({ allowHalfOpen: true }, (caller) => {
    const [host, port] = typeof to === 'number' ? ['127.0.0.1', to] : to.split(':');
    const target = connect({
      ...(port ? { host, port: Number(port) } : { path: host }),
      allowHalfOpen: true,
    } as NetConnectOpts);
    // What breaks on one side is broken off on the other.
    caller.on('error', () => target.destroy()).on('close', () => target.destroy());
    target.on('error', () => caller.destroy()).on('close', () => caller.destroySoon());
    caller.pipe(target).pipe(caller);
  });
  if (typeof from === 'string') rmSync(from, { force: true });
  server.listen(from);
}

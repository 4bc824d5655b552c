/**
 * Forwards connections: `FORWARD` in its environment is JSON such as `[[8080, "/sockets/a"], ["/sockets/b", 8081]]`. Each
 * pair says where to listen and where to connect: a port (to connect to, one of 127.0.0.1), the path of a socket or, only to
 * connect to, a host and its port (`service-a:8080`). It needs nothing but Node, and runs from its text alone.
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
    // A connection that breaks on one side is closed on the other.
    caller.on('error', () => target.destroy()).on('close', () => target.destroy());
    target.on('error', () => caller.destroy()).on('close', () => caller.destroySoon());
    caller.pipe(target).pipe(caller);
  });
  if (typeof from === 'string') rmSync(from, { force: true });
  server.listen(from);
}

import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';

/** What the stand-in does with a connection once it has received a whole request. */
export type Behaviour = (socket: Socket, request: string) => void;

/** An HTTP/1.1 answer with its length. */
export function http(status: string, body: string, headers = ''): string {
  return `HTTP/1.1 ${status}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n${headers}\r\n${body}`;
}

/** Stands in for service A on a raw socket of its own, so that it can misbehave in ways no HTTP server would. */
export async function startStandIn(behaviour: Behaviour) {
  const requests: string[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {}); // callers break its connections, as the tests intend
    socket.once('close', () => sockets.delete(socket));
    let pending = '';
    socket.setEncoding('latin1').on('data', (chunk: string) => {
      pending += chunk;
      for (let end; (end = pending.indexOf('\r\n\r\n')) >= 0; pending = pending.slice(end + 4)) {
        const request = pending.slice(0, end);
        requests.push(request);
        behaviour(socket, request);
      }
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');

  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    sockets,
    close() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

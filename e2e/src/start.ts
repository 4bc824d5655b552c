/** `npm start`: both services as plain processes, until Ctrl-C. */
import { spawnService } from './processes.ts';

const { SERVICE_A_PORT = '', SERVICE_B_PORT = '', SERVICE_A_URL } = process.env;
const services = [
  spawnService('service-a', { PORT: SERVICE_A_PORT }, 'inherit'),
  spawnService(
    'service-b',
    { PORT: SERVICE_B_PORT, SERVICE_A_URL: SERVICE_A_URL || `http://localhost:${SERVICE_A_PORT || 8080}` },
    'inherit',
  ),
];

for (const service of services) {
  service.once('exit', (code) => {
    process.exitCode ||= code ?? 1;
  });
}

let isStopping = false;

// The services are in process groups of their own, so that Ctrl-C reaches them once: through here. The terminal and
// npm both send it, and a service takes a second signal for an order to stop at once.
function stop() {
  if (isStopping) return;
  isStopping = true;
  clearInterval(watch);
  for (const service of services) service.kill('SIGTERM');
}
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, stop);

// npm hands SIGTERM to its shell, which ends without handing it on.
const parent = process.ppid;
const watch = setInterval(() => {
  if (process.ppid !== parent) stop();
}, 200).unref();

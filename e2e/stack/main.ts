/** `npm start`: both services as plain processes, until Ctrl-C. */
import { command } from './command.ts';
import { onceParentEnds } from './process/at-exit.ts';
import { spawnService } from './process/spawn-service.ts';

const HELP = `Runs both services from their sources, A on port 8080 and B on port 8081, until Ctrl-C.

  npm start

The README names the variables that both read, such as SERVICE_A_PORT.
`;

await command(HELP, {}, async () => {
  const env = { PORT: '' }; // or both would take it; here each has a variable of its own
  const services = [spawnService('service-a', env, 'inherit'), spawnService('service-b', env, 'inherit')];

  for (const service of services) {
    service.once('exit', (code) => {
      process.exitCode ||= code ?? 1;
      if (code === 1) stop(); // it could not start, and has said why
    });
  }

  let isStopping = false;

  // The services are in process groups of their own, so that Ctrl-C reaches them once: through here. The terminal and
  // npm both send it, and a service takes a second signal for an order to stop at once.
  function stop() {
    if (isStopping) return;
    isStopping = true;
    for (const service of services) service.kill('SIGTERM');
  }
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, stop);
  onceParentEnds(stop);
});

import { Agent, get } from 'node:http';
import { serve, type Reply } from './floor.ts';

const url = process.env.SERVICE_A_URL!;
const timeoutMs = Number(process.env.SERVICE_A_TIMEOUT_MS);
const agent = new Agent({ keepAlive: true });

serve('service-b', '/call-echo', async (msg, requestId) => {
  const start = performance.now();
  const reply = await echo(msg, requestId).then(
    (echo): Reply => ({ status: 200, body: { service_b: 'ok', service_a: { echo } } }),
    ({ message, code }): Reply => ({
      status: 503,
      body: { service_b: 'ok', service_a: 'unavailable' },
      log: { message, code },
    }),
  );
  const upstream_latency_ms = Math.round((performance.now() - start) * 100) / 100;
  return { ...reply, log: { upstream_latency_ms, ...reply.log } };
});

function echo(msg: string, requestId: string) {
  return new Promise<string>((resolve, reject) => {
    const headers = { 'x-request-id': requestId };
    const call = get(`${url}/echo?msg=${encodeURIComponent(msg)}`, { agent, headers }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (chunk: string) => (body += chunk));
      response.on('error', reject).on('end', () => {
        clearTimeout(deadline);
        try {
          const { echo } = JSON.parse(body);
          if (response.statusCode === 200 && typeof echo === 'string') resolve(echo);
          else reject(new Error('This is not an echo.'));
        } catch (error) {
          reject(error);
        }
      });
    });
    const deadline = setTimeout(() => call.destroy(new Error('The deadline has passed.')), timeoutMs);
    call.on('error', (error) => {
      clearTimeout(deadline);
      reject(error);
    });
  });
}

import { get } from './http.ts';
import { until } from './until.ts';

/** Whether `/health` of the service at `url` answers 200. */
export async function isHealthy(url: string): Promise<boolean> {
  const answer = await get(`${url}/health`).catch(() => undefined);
  return answer?.status === 200;
}

/**
 * Resolves once `/health` of the service at `url` answers 200, or has answered something else for 3 s, even if that is not
 * HTTP: others judge the answer. Rejects with the reason when `ended` gives one, or after 30 s.
 */
export async function untilUp(name: string, url: string, ended: () => Promise<string | undefined>): Promise<void> {
  let firstAnswer = Infinity;
  const isUp = async () => {
    const answer = await get(`${url}/health`, {}, { timeoutMs: 3000 }).catch((error: NodeJS.ErrnoException) => error);
    const isAnswer = !(answer instanceof Error);
    if (isAnswer && answer.status === 200) return true;
    if (isAnswer || answer.code?.startsWith('HPE_')) firstAnswer = Math.min(firstAnswer, performance.now());
    if (performance.now() - firstAnswer > 3000) return true;
    const end = await ended();
    if (end) throw new Error(end);
    return false;
  };
  await until(`${name} to answer ${url}/health`, isUp, 30_000);
}

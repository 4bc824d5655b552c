/** Where the page's history comes from: a server, on whose pair it can be made longer, or a recording, which has ended. */
import type { CallView, News } from '../protocol.ts';
import { trouble } from './dom.ts';

export interface Source {
  /** From now on, tells `show` what is new, and `connected` whether the server answers. */
  listen(show: (news: News) => void, connected: (isConnected: boolean) => void): void;
  /** What is known of a call. Rejects with a sentence for the reader when there is nothing. */
  call(n: number): Promise<CallView>;
  /** Asks for a change. Resolves to the answer; rejects with a sentence for the reader when it is refused. */
  ask(path: string, body?: unknown): Promise<any>;
  /** What time it is in the history, in milliseconds since 1970. */
  now(): number;
  /** Saves one of the server's files. */
  save?(name: string): void;
}

const EVERY_MS = 100;
const AGAIN_MS = 1000;
const PATIENCE_MS = 5000;
const token = new URLSearchParams(location.search).get('token') ?? '';

/** `fetch` with the page's token, of JSON. */
async function get(path: string, options: RequestInit = {}): Promise<any> {
  const headers = { 'Content-Type': 'application/json', 'X-Token': token };
  const noAnswer = () => {
    throw new Error('The server did not answer.');
  };
  const response = await fetch(path, { ...options, headers }).catch(noAnswer);
  const answer = await response.json().catch(noAnswer); // a proxy may write something else
  if (!response.ok) throw Object.assign(new Error(answer.error), { status: response.status });
  return answer;
}

export function serverSource(): Source {
  let clockAhead = 0; // of the server's clock before this one's
  let known = { version: 0, ended: 0 };

  /** A page that no one looks at does not ask. */
  const isLookedAt = () =>
    new Promise<void>((resolve) => {
      if (!document.hidden) return resolve();
      document.addEventListener('visibilitychange', () => resolve(isLookedAt()), { once: true });
    });

  return {
    async listen(show, connected) {
      for (let failures = 0; ;) {
        await isLookedAt();
        try {
          const news: News = await get(`/news?version=${known.version}&ended=${known.ended}`, {
            signal: AbortSignal.timeout(PATIENCE_MS),
          });
          known = news;
          const ahead = news.now - Date.now();
          if (Math.abs(ahead - clockAhead) > 500) clockAhead = ahead; // a little more or less is the time of the answer
          if (failures > 0) trouble('');
          failures = 0;
          connected(true);
          show(news);
        } catch (error) {
          const isAnotherServer = (error as { status?: number }).status === 403; // whose token this page cannot know
          // One request may be broken off: Chromium does that when the networks of its host change.
          if (++failures > 1 || isAnotherServer) connected(false);
          if (isAnotherServer)
            return trouble('The server was started again: open the link that its terminal shows now.');
        }
        await new Promise((resolve) => setTimeout(resolve, failures > 1 ? AGAIN_MS : EVERY_MS));
      }
    },
    call: (n) => get(`/calls/${n}`),
    ask: (path, body = {}) => get(path, { method: 'POST', body: JSON.stringify(body) }),
    now: () => Date.now() + clockAhead,
    save(name) {
      const link = Object.assign(document.createElement('a'), { download: name, href: `/${name}?token=${token}` });
      link.click();
    },
  };
}

/** The source of the page's history: a server, where it still grows, or a recording. */
import type { CallView, News } from '../protocol.ts';
import { trouble } from './dom.ts';

export interface Source {
  /** Starts to call `show` with what is new, and `connected` with whether the server answers. */
  listen(show: (news: News) => void, connected: (isConnected: boolean) => void): void;
  /** Resolves to what is known about a call. Rejects with a sentence for the reader if nothing is known. */
  call(n: number): Promise<CallView>;
  /** Requests a change. Resolves to the answer; rejects with a sentence for the reader if it is refused. */
  ask(path: string, body?: unknown): Promise<any>;
  /** The present time in the history, in milliseconds since 1970. */
  now(): number;
  /** Saves one of the server's files. */
  save?(name: string): void;
}

const EVERY_MS = 100;
const PATIENCE_MS = 5000;
const SILENCE_MS = 1500; // Chromium aborts requests for about a second when the networks of its host change
const token = new URLSearchParams(location.search).get('token') ?? '';

/** Fetches JSON with the page's token. */
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
  let clockAhead = 0; // how far the server's clock is ahead of this one
  let known = { version: 0, ended: 0 };

  /** Resolves when the page is visible: a hidden page does not ask. */
  const isLookedAt = () =>
    new Promise<void>((resolve) => {
      if (!document.hidden) return resolve();
      document.addEventListener('visibilitychange', () => resolve(isLookedAt()), { once: true });
    });

  return {
    async listen(show, connected) {
      for (let heardAt = Date.now(); ;) {
        await isLookedAt();
        const path = `/news?version=${known.version}&ended=${known.ended}`;
        const news: News | Error = await get(path, { signal: AbortSignal.timeout(PATIENCE_MS) }).catch(
          (error) => error,
        );
        if (!(news instanceof Error)) {
          known = news;
          const ahead = news.now - Date.now();
          if (Math.abs(ahead - clockAhead) > 500) clockAhead = ahead; // a smaller difference is the time that the answer took
          heardAt = Date.now();
          connected(true);
          show(news);
        } else if ((news as { status?: number }).status === 403) {
          connected(false); // it is another server, and this page cannot know its token
          return trouble('The server was started again: open the link that its terminal shows now.');
        } else if (Date.now() - heardAt > SILENCE_MS) connected(false);
        await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
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

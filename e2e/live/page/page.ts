import type { Dot, Entry, View } from '../protocol.ts';
import { followCall, startLastCalls } from './calls.ts';
import { addDots, keptTimeline, setStill, showChart, startChart } from './chart.ts';
import { ask, byId, clock, element, say, trouble, withToken } from './dom.ts';
import { showSystem, wireSystem } from './system.ts';
import { showTour } from './tour.ts';

const AGAIN_MS = 1000;
let version = 0;

function showView(view: View) {
  if (view.version < version) return; // one that was overtaken on its way
  version = view.version;
  say(byId('pair'), `Break A and watch B: ${view.pair}.`);
  showSystem(view);
  showChart(view);
  showTour(view, (n) => void followCall(n));
  showHistory(view.history);
}

let shownHistory = '';

function showHistory(history: Entry[]) {
  const key = JSON.stringify(history);
  if (key === shownHistory) return;
  shownHistory = key;
  const items = history.toReversed().map(({ at, command, ms, problem }) => {
    const result = problem ?? (ms === undefined ? 'running' : `${(ms / 1000).toFixed(1)} s`);
    return element(
      'li',
      {},
      element('span', { class: 'soft' }, clock(at).slice(0, 8)),
      element('code', {}, command),
      element('span', { class: problem ? 'wrong' : 'soft' }, result),
    );
  });
  byId('history').replaceChildren(...(items.length > 0 ? items : [element('li', { class: 'soft' }, 'Nothing yet.')]));
}

function setConnection(isLive: boolean) {
  say(byId('connection'), isLive ? 'live' : 'The server is gone');
  document.body.dataset.connection = isLive ? 'live' : 'gone';
}

/** Listens to the server, and again whenever it comes back. */
function connect() {
  const events = new EventSource(withToken('/events'));
  let isAll = true;
  events.addEventListener('open', () => (isAll = true));
  events.addEventListener('view', ({ data }) => {
    setConnection(true);
    showView(JSON.parse(data));
  });
  events.addEventListener('calls', ({ data }) => {
    setStill(false);
    addDots(JSON.parse(data) as Dot[], isAll);
    isAll = false;
  });
  events.addEventListener('error', async () => {
    setConnection(false);
    setStill(true);
    if (events.readyState !== EventSource.CLOSED) return;
    const answer = await ask('/', { method: 'HEAD' }).catch(() => undefined);
    // Another server, whose token this page cannot know.
    if (answer?.status === 403) trouble('The server was started again: open the link that its terminal shows now.');
    else setTimeout(connect, AGAIN_MS);
  });
}

function save(name: string, href: string) {
  element('a', { download: name, href }).click();
}

function saveBlob(name: string, blob: Blob) {
  const url = URL.createObjectURL(blob);
  save(name, url);
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

const timelineBlob = () => new Blob([keptTimeline()], { type: 'image/svg+xml' });

async function savePng() {
  const image = new Image();
  image.src = URL.createObjectURL(timelineBlob());
  await image.decode();
  const canvas = element('canvas', { width: String(image.width * 2), height: String(image.height * 2) });
  canvas.getContext('2d')!.drawImage(image, 0, 0, canvas.width, canvas.height);
  URL.revokeObjectURL(image.src);
  canvas.toBlob((blob) => saveBlob('timeline.png', blob!));
}

startChart((n) => void followCall(n), Date.now);
startLastCalls();
wireSystem(showView, (n) => void followCall(n, false));
byId('keep-svg').addEventListener('click', () => saveBlob('timeline.svg', timelineBlob()));
byId('keep-png').addEventListener('click', () => void savePng().catch(() => trouble('The picture could not be made.')));
byId('keep-transcript').addEventListener('click', () => save('transcript.md', withToken('/transcript.md')));
connect();

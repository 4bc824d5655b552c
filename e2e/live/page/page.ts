import type { Command } from '../../experiment/history.ts';
import type { News, View } from '../protocol.ts';
import { followCall, startCalls } from './calls.ts';
import { addDots, keptTimeline, setStill, showChart, startChart } from './chart.ts';
import { byId, clock, element, say, trouble } from './dom.ts';
import { recordedSource } from './recording.ts';
import { serverSource } from './source.ts';
import { showSystem, wireSystem } from './system.ts';
import { showTour, wireTour } from './tour.ts';

const recording = document.getElementById('recording');
const source = recording ? recordedSource(JSON.parse(recording.textContent!)) : serverSource();
document.body.dataset.source = recording ? 'recording' : 'live';
if (recording) document.title = byId('title').textContent = 'Two services, recorded';

function show({ view, calls, isAll }: News) {
  if (calls.length > 0 || isAll) addDots(calls, isAll);
  if (view) showView(view);
}

function showView(view: View) {
  say(byId('pair'), recording ? view.pair : `Break A and watch B: ${view.pair}.`);
  showChart(view);
  showSystem(view);
  showTour(view);
  showCommands(view.commands);
}

let shownCommands = '';

function showCommands(commands: Command[]) {
  const key = JSON.stringify(commands);
  if (key === shownCommands) return;
  shownCommands = key;
  const items = commands.toReversed().map(({ at, command, ms, problem }) => {
    const result = problem ?? (ms === undefined ? 'running' : `${(ms / 1000).toFixed(1)} s`);
    return element(
      'li',
      {},
      element('span', { class: 'soft' }, clock(at).slice(0, 8)),
      element('code', {}, command),
      element('span', { class: problem ? 'wrong' : 'soft' }, result),
    );
  });
  byId('commands').replaceChildren(...(items.length > 0 ? items : [element('li', { class: 'soft' }, 'Nothing yet.')]));
}

function connected(isConnected: boolean) {
  const there = recording ? 'recording' : 'live';
  say(byId('connection'), isConnected ? there : 'The server is gone');
  document.body.dataset.connection = isConnected ? 'there' : 'gone';
  setStill(!isConnected);
}

function save(name: string, blob: Blob) {
  const url = URL.createObjectURL(blob);
  element('a', { download: name, href: url }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

const svg = () => new Blob([keptTimeline()], { type: 'image/svg+xml' });

async function savePng() {
  const image = new Image();
  image.src = URL.createObjectURL(svg());
  await image.decode();
  const canvas = element('canvas', { width: String(image.width * 2), height: String(image.height * 2) });
  canvas.getContext('2d')!.drawImage(image, 0, 0, canvas.width, canvas.height);
  URL.revokeObjectURL(image.src);
  canvas.toBlob((blob) => save('timeline.png', blob!));
}

const follow = (n: number) => void followCall(n);
startChart(follow, source.now);
startCalls(source);
wireSystem(source, (n) => void followCall(n, false));
wireTour(source, follow);
byId('keep-svg').addEventListener('click', () => save('timeline.svg', svg()));
byId('keep-png').addEventListener('click', () => void savePng().catch(() => trouble('The picture could not be made.')));
byId('keep-transcript').addEventListener('click', () => source.save!('transcript.md'));
byId('keep-history').addEventListener('click', () => source.save!('history.jsonl'));
source.listen(show, connected);

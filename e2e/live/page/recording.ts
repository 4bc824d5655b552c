/** Replaces the server with a recording. Its time passes while a question is played, and stops between two questions. */
import type { Name, StateEvent } from '../../experiment/history.ts';
import { bandsOf, dotOf, type News, type Recording, type ServiceView } from '../protocol.ts';
import { Tour, type Stage } from '../tour.ts';
import type { Source } from './source.ts';

const EVERY_MS = 50;
const LEAD_MS = 1500; // how much time before a question is shown with it

export function recordedSource(all: Recording): Source {
  // The commands before the first question belong to no question.
  const isOfTour = ({ event, at }: Recording['events'][number]) => event !== 'fault' || at >= all.plays[0]!.from;
  const recording = { ...all, events: all.events.filter(isOfTour) };
  const { plays, calls } = recording;
  const byEnd = calls.toSorted((one, other) => one.at + one.ms - (other.at + other.ms));
  const dots = byEnd.map(dotOf);
  let now = plays[0]!.from;
  let told = 0;
  let show: (news: News) => void;

  /** Shows everything that is known by now; a call is known when it has ended. */
  function tell(isAll = false) {
    const first = isAll ? 0 : told;
    told = dots.findIndex(([, at, ms]) => at + ms > now);
    if (told === -1) told = dots.length;
    const view = { ...viewAt(recording, now), tour: tour.view() };
    show({ version: 0, ended: told, view, calls: dots.slice(first, told), isAll, now });
  }

  /** Lets the recorded time run from one time to another, at its own speed. */
  async function run(from: number, to: number) {
    const began = performance.now();
    const isBack = from < now;
    now = from;
    tell(isBack);
    while (now < to) {
      await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
      now = Math.min(to, from + performance.now() - began);
      tell();
    }
  }

  const stage: Stage = {
    ...recording,
    allActs: recording.acts,
    async restore() {
      now = plays[0]!.from;
      tell(true);
    },
    async play(index) {
      const play = plays[index]!;
      await run(Math.max(play.from - LEAD_MS, plays[index - 1]?.to ?? 0), play.to);
      return play;
    },
  };
  const tour = new Tour(stage, () => tell());

  return {
    listen(each, connected) {
      show = each;
      connected(true);
      tell(true);
    },
    async call(n) {
      return calls.find((call) => call.n === n)!;
    },
    async ask(path, body) {
      await tour.step(path.replace('/tour/', ''), body as {});
      return {};
    },
    now: () => now,
  };
}

/** Computes what a live page showed at a time of the recording. */
function viewAt({ pair, deadlineMs, ports, events }: Recording, now: number) {
  const past = events.filter(({ at }) => at <= now);
  const service = (name: Name): ServiceView => {
    const state = past.findLast((event) => event.event === 'state' && event.service === name);
    const health = past.findLast((event) => event.event === 'health' && event.service === name);
    const is = state?.event === 'state' ? state.state : 'running';
    return {
      ...{ state: is === 'cut off' ? 'running' : (is as ServiceView['state']), port: ports[name] },
      note: { 'cut off': 'cut off from the network', replaced: 'does what each message says' }[is as string] ?? '',
      health: health?.event === 'health' ? health.health : '',
    };
  };
  const commands = past.flatMap((event) => {
    if (event.event !== 'fault') return [];
    const { at, command, ms } = event;
    return at + ms <= now ? [event] : [{ at, command }];
  });
  return {
    ...{ pair, deadlineMs, lacks: '', isOwn: true, services: { a: service('a'), b: service('b') } },
    ...{ faults: [], behaviours: {}, behaviour: '', callsPerSecond: 0, isResting: false },
    busy: commands.find((command) => !('ms' in command))?.command ?? '',
    bands: bandsOf(past.filter((event): event is StateEvent => event.event === 'state')),
    commands,
  };
}

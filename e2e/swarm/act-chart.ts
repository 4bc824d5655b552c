import { drawCalls, type DrawnBand } from '../picture/calls-chart.ts';
import { outcomeOf } from '../picture/outcomes.ts';
import { lostIn, type Act } from './act-out.ts';

/** An act as an SVG picture, with a band for each update and for each time in which a machine is paused or killed. */
export function drawAct(act: Act, callsPerSecond: number, deadlineMs: number): string {
  const { title, outcomes } = act;
  const to = Math.max(...outcomes.map(({ at, ms }) => at + ms));
  const bands = bandsOf(act, to);
  return drawCalls({
    title: `${title}, under ${callsPerSecond} calls a second`,
    story: `${lostIn(outcomes).length} of ${outcomes.length} calls were lost. ${bands.map(({ name }) => name).join(', ')}.`,
    heading: `${title}: ${callsPerSecond} calls a second over all machines, each a mark`,
    calls: outcomes.map(({ at, ms, status, reason }) => ({ at, ms, outcome: outcomeOf({ status, reason }) })),
    bands,
    from: 0,
    to,
    deadlineMs,
  });
}

function bandsOf({ commands }: Act, end: number): DrawnBand[] {
  return commands.flatMap(({ command, from, to }, index): DrawnBand[] => {
    const [, image] = /service update .*--image two-services\/(\S+)/.exec(command) ?? [];
    if (image) return [{ name: `update to ${image}`, state: 'replaced', from, to }];
    const [, action, node] = /machines (pause|kill) (\w+)/.exec(command) ?? [];
    if (!action) return [];
    const back = commands.slice(index).find(({ command }) => /machines (unpause|start|up)/.test(command));
    const state = action === 'pause' ? 'paused' : 'stopped';
    return [{ name: `${node} ${action === 'pause' ? 'frozen' : 'killed'}`, state, from, to: back?.to ?? end }];
  });
}

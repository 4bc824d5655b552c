import { drawCalls, type DrawnBand } from '../picture/calls-chart.ts';
import { lostIn, type Section } from './chapter.ts';

/** An act as an SVG picture, with a band for each update and for each time in which a machine is paused or killed. */
export function drawSection(act: Section, callsPerSecond: number, deadlineMs: number): string {
  const { title, calls } = act;
  const to = Math.max(...calls.map(({ at, ms }) => at + ms));
  const bands = bandsOf(act, to);
  return drawCalls({
    title: `${title}, under ${callsPerSecond} calls a second`,
    story: `${lostIn(calls).length} of ${calls.length} calls were lost. ${bands.map(({ name }) => name).join(', ')}.`,
    heading: `${title}: ${callsPerSecond} calls a second over all machines, each a mark`,
    calls,
    bands,
    from: Math.min(...calls.map(({ at }) => at)),
    to,
    deadlineMs,
  });
}

function bandsOf({ commands }: Section, end: number): DrawnBand[] {
  return commands.flatMap(({ command, from, to }, index): DrawnBand[] => {
    const [, image] = /service update .*--image two-services\/(\S+)/.exec(command) ?? [];
    if (image) return [{ name: `update to ${image}`, band: 'replaced', from, to }];
    const [, action, node] = /machines (pause|kill) (\w+)/.exec(command) ?? [];
    if (!action) return [];
    const back = commands.slice(index).find(({ command }) => /machines (unpause|start|up)/.test(command));
    const band = action === 'pause' ? 'paused' : 'stopped';
    return [{ name: `${node} ${action === 'pause' ? 'frozen' : 'killed'}`, band, from, to: back?.to ?? end }];
  });
}

import { drawCalls, type DrawnBand } from '../picture/calls-chart.ts';
import { callsOf, commandsOf, type Event } from '../experiment/history.ts';
import { lostIn, type Section } from './chapter.ts';

/** An act as an SVG picture, with a band for each update and for each time in which a machine is paused or killed. */
export function drawSection({ title, history }: Section, callsPerSecond: number, deadlineMs: number): string {
  const calls = callsOf(history);
  const to = calls.reduce((end, { at, ms }) => Math.max(end, at + ms), 0);
  const bands = bandsOf(history, to);
  return drawCalls({
    title: `${title}, under ${callsPerSecond} calls a second`,
    story: `${lostIn(history).length} of ${calls.length} calls were lost. ${bands.map(({ name }) => name).join(', ')}.`,
    heading: `${title}: ${callsPerSecond} calls a second over all machines, each a mark`,
    calls,
    bands,
    from: calls[0]!.at,
    to,
    deadlineMs,
  });
}

function bandsOf(history: Event[], end: number): DrawnBand[] {
  const commands = commandsOf(history);
  return commands.flatMap(({ command, at: from, ms }, index): DrawnBand[] => {
    const [, image] = /service update .*--image two-services\/(\S+)/.exec(command) ?? [];
    if (image) return [{ name: `update to ${image}`, band: 'replaced', from, to: from + ms }];
    const [, action, node] = /machines (pause|kill) (\w+)/.exec(command) ?? [];
    if (!action) return [];
    const back = commands.slice(index).find(({ command }) => /machines (unpause|start|up)/.test(command));
    const band = action === 'pause' ? 'paused' : 'stopped';
    const name = `${node} ${action === 'pause' ? 'frozen' : 'killed'}`;
    return [{ name, band, from, to: back ? back.at + back.ms : end }];
  });
}

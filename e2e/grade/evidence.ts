import { drawOutage } from '../experiment/outage.ts';
import type { Check } from '../requirements/check.ts';
import { echoes, healthOf, recoversFromStop, staysHealthy } from '../requirements/lab.ts';
import type { Exchange, Recorded, Trace } from '../requirements/record.ts';
import { quoted } from '../stack/shell.ts';

/** A command, and its result. */
export interface Typed {
  command: string;
  output: string;
  /** The lines that the services wrote during the command. */
  logs?: { a: string[]; b: string[] };
}

/** The commands of one state of the world, in their order. */
export interface Stage {
  title: string;
  typed: Typed[];
}

/** The lab's success and its failure as they were recorded: each request as the `curl` that does the same. */
export function evidenceIn(record: Recorded): Stage[] {
  const { traces, ends, typed } = record;
  const seen = <T>({ name }: Check) => record.entries.find(({ check }) => check === name)?.seen as T | undefined;
  const requests = (...exchanges: (Exchange | undefined)[]) =>
    exchanges.flatMap((each) => (each ? [request(each)] : []));
  const end = ends.a && [{ command: typed.stop, output: `Service A ended with code ${ends.a.code}.` }];
  return [
    {
      title: 'With both services up',
      typed: requests(seen(healthOf.a), seen(echoes), seen(healthOf.b), traces.slow?.[0]),
    },
    {
      title: 'With A stopped',
      typed: [...(end ?? []), ...requests(traces.gone?.[0], seen<{ health: Exchange }>(staysHealthy)?.health)],
    },
    {
      title: 'With A started again, and B as it was',
      typed: [
        { command: typed.start, output: 'Service A answers again.' },
        ...requests(seen<{ last: Exchange }>(recoversFromStop)?.last),
      ],
    },
  ];
}

function request(exchange: Exchange | Trace): Typed {
  const { sent, answer, received } = exchange;
  return {
    command: `curl -i ${quoted(sent.replace(/^GET /, ''))}`,
    output: answer ? `${answer.head}\n\n${answer.body}`.trimEnd() : received,
    ...('lines' in exchange && { logs: { a: exchange.others, b: exchange.lines } }),
  };
}

/** How B answered while A was frozen, and stopped, and back, as an SVG picture; undefined when nothing of that was recorded. */
export function pictureOf({ history, entries }: Recorded): string | undefined {
  const end = entries.find(({ situation }) => situation === 'when B is stopped')?.at ?? Infinity;
  const outage = history.filter((event) => event.at < end && !(event.event === 'state' && event.service === 'b'));
  return outage.some(({ event }) => event === 'call') ? drawOutage(outage) : undefined;
}

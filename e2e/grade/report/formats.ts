import type { Report } from './report.ts';
import { classroom50 } from './classroom50.ts';
import { gradescope } from './gradescope.ts';
import { junit } from './junit.ts';

/** What a report is written as, each by the option of its name. */
export const FORMATS = {
  json: (report: Report) => `${JSON.stringify(report, null, 2)}\n`,
  junit,
  gradescope,
  classroom50: (report: Report) => classroom50(report, process.env),
};
export type Format = keyof typeof FORMATS;
export const FORMAT_NAMES = Object.keys(FORMATS) as Format[];

import { sanitize } from '../../stack/foreign-text.ts';
import { type Report } from './report.ts';
import { duration } from '../../stack/duration.ts';

/**
 * The rubric as Gradescope's results.json: each of the lab's checks is a test with its points, those of robustness are
 * shown without any.
 */
export function gradescope({ ms, scores, results, reason }: Report): string {
  const tests = results.map(({ section, name, points, verdict, because, sent, received, expected, why, fix }) => ({
    name: section === 'lab' ? name : `Robustness: ${name}`,
    ...(section === 'lab' &&
      verdict !== 'not applicable' && { score: verdict === 'pass' ? points : 0, max_score: points }),
    // Gradescope knows no third; what does not apply is no fault.
    status: verdict === 'fail' ? 'failed' : 'passed',
    output: sanitize(
      because ??
        Object.entries(verdict === 'fail' ? { sent, received, expected, why, fix } : {})
          .map(([label, text]) => `${label}: ${text}`)
          .join('\n'),
    ),
    output_format: 'text',
    visibility: 'visible',
  }));
  const { lab, robustness } = scores;
  const sum = `The lab's requirements: ${lab.passed} of ${lab.of}. Robustness: ${robustness.passed} of ${robustness.of}. Graded in ${duration(ms)}.`;
  const output = sanitize(reason ?? sum);
  // Gradescope requires a score if there are no tests.
  const score = reason ? { score: 0 } : {};
  const about = { ...score, output, output_format: 'text', execution_time: Math.round(ms / 1000) };
  return `${JSON.stringify({ ...about, tests }, null, 2)}\n`;
}

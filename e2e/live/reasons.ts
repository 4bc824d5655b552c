/**
 * What B saw of A, by the reason that it gives, out of the README's table of reasons, whose first column is `reason`:
 * the one source of what the page explains.
 */
export function readReasons(readme: string): Map<string, string> {
  const [, table = ''] = /^\|\s*`reason`\s*\|.*\n\|[-\s|:]+\|\n((?:\|.*\n)+)/m.exec(readme) ?? [];
  return new Map(
    table
      .trim()
      .split('\n')
      .map((row) => row.replaceAll('`', '').split('|'))
      .map(([, reason = '', saw = '']) => [reason.trim(), saw.trim()]),
  );
}

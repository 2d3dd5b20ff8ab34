import { UNSAFE } from '../characters.js';

/** What people typed is printed as it is, but for what a terminal would obey. */
export const printable = (text: string) => text.replace(UNSAFE, '?');

/** Columns under their heads, as wide as what is in them. */
export function table(head: string[], rows: string[][]): string {
  const cells = [head, ...rows].map((row) => row.map(printable));
  const widths = head.map((_, i) => Math.max(...cells.map((row) => row[i]?.length ?? 0)));
  return cells
    .map((row) =>
      row
        .map((cell, i) => cell.padEnd(widths[i] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

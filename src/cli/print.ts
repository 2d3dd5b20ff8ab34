import { UNSAFE } from '../characters.js';

/** Replaces the characters that a terminal would interpret (`UNSAFE`) by `?`. */
export const printable = (text: string) => text.replace(UNSAFE, '?');

/** Formats rows as columns under their headings, each as wide as its longest cell. */
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

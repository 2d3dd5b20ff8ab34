/** Offset of Paris in hours, for the dates that are generated: summer time from April to September. */
const hours = (day: string) => (day.slice(5, 7) >= '04' && day.slice(5, 7) <= '09' ? 2 : 1);
export const parisMidnight = (day: string): number => Date.parse(`${day}T00:00:00.000Z`) - hours(day) * 3_600_000;
export const readWhen = (when: string) =>
  when.length === 10 ? when : new Date(Date.parse(`${when}:00.000Z`) - hours(when) * 3_600_000).toISOString();

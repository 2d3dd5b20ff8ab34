import { invalid } from '../errors.js';
import { nameKey } from './names.js';
import { MAX_LABELS } from './task.js';

/** Labels without doubles, in the order of their keys, as they are shown. */
export function uniqueLabels(labels: string[]): string[] {
  const byKey = new Map<string, string>();
  for (const label of labels) if (!byKey.has(nameKey(label))) byKey.set(nameKey(label), label);
  if (byKey.size > MAX_LABELS) throw invalid(`A task carries ${MAX_LABELS} labels at most.`, 'Use fewer labels.');
  return [...byKey].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, label]) => label);
}

export interface LabelEdit {
  add?: string[] | undefined;
  remove?: string[] | undefined;
  /** Whether those that were there go first. */
  clear?: boolean;
}

/** Labels after adding some and removing others; one that is there already keeps its spelling. */
export function editLabels(labels: string[], { add = [], remove = [], clear = false }: LabelEdit): string[] {
  const spelled = new Map(labels.map((label) => [nameKey(label), label]));
  const gone = new Set(remove.map(nameKey));
  const wanted = [...(clear ? [] : labels), ...add].filter((label) => !gone.has(nameKey(label)));
  return uniqueLabels(wanted.map((label) => spelled.get(nameKey(label)) ?? label));
}

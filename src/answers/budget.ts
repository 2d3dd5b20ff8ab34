import type { Answer } from './shapes.js';
import { costsAtMost, estimateTokens } from './tokens.js';

/** Token budgets of an answer, for each channel: the default, and the smallest and largest that may be asked for. */
export const [DEFAULT_BUDGET, MIN_BUDGET, MAX_BUDGET] = [2000, 50, 20_000];

/** An answer with levels of detail: each level shows more than the one below, the top one everything. */
export interface DetailLevels {
  /** The number of levels, at least 1. */
  levels: number;
  /** Renders a level. Level 0 is the minimum, used even if it exceeds the budget. */
  at(level: number): Level;
}

interface Level extends Answer {
  /** What this level leaves out, stated in the answer. */
  omitted?: Omitted | undefined;
}

interface Omitted {
  what: string[];
  /** How to get it, other than with a larger budget. */
  how?: string;
}

/** Memoizes a function of one argument, for what several levels show. */
export function memoized<K, V>(make: (key: K) => V): (key: K) => V {
  const made = new Map<K, V>();
  return (key) => {
    const value = made.get(key) ?? make(key);
    made.set(key, value);
    return value;
  };
}

/**
 * Returns the highest level that fits the budget in both channels, by an upper estimate of tokens. Binary search.
 *
 * @param elsewhere where to get everything, if not with a larger `max_tokens`
 */
export const fitToBudget = (what: DetailLevels, budget: number, elsewhere?: string): Answer =>
  highestFitting(what, budget, elsewhere, ({ json, text }) => [text, JSON.stringify(json)]);

/** The same where only the text is sent. */
export const fitText = (what: DetailLevels, budget: number, elsewhere?: string): string =>
  highestFitting(what, budget, elsewhere, ({ text }) => [text]).text;

/** @param sent what of an answer is sent, each within the budget */
function highestFitting(
  { levels, at }: DetailLevels,
  budget: number,
  elsewhere: string | undefined,
  sent: (answer: Answer) => string[],
): Answer {
  const fits = (answer: Answer) => sent(answer).every((each) => costsAtMost(each, budget));
  const cost = (answer: Answer) => Math.max(...sent(answer).map((each) => estimateTokens(each)));
  const more = elsewhere ?? (budget < MAX_BUDGET ? 'a larger max_tokens' : undefined);
  const withOmitted = (level: Level) => withOmissions(level, budget, more);
  const whole = withOmitted(at(levels - 1));
  if (levels === 1 || fits(whole)) return whole;
  let best = withOmitted(at(0));
  for (let [low, high] = [0, levels - 1]; high - low > 1; ) {
    const middle = (low + high) >> 1;
    const answer = withOmitted(at(middle));
    if (fits(answer)) [low, best] = [middle, answer];
    else high = middle;
  }
  return cost(best) < cost(whole) ? best : whole; // the note on what was left out may cost more than it saves
}

function withOmissions({ json, text, omitted }: Level, budget: number, more: string | undefined): Answer {
  if (!omitted || omitted.what.length === 0) return { json, text };
  const ways = [omitted.how, more].filter(Boolean);
  const how = ways.length > 0 ? ` To get it, use ${ways.join(', or ')}.` : '';
  const said = `Left out to stay within ${budget} tokens: ${omitted.what.join('; ')}.${how}`;
  return { json: { ...json, omitted: said }, text: `${text}\n${said}` };
}

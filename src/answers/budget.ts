import type { Answer } from './shapes.js';
import { costsAtMost, estimateTokens } from './tokens.js';

/** What an answer may cost, in tokens of each channel, and the most that may be asked for. */
export const [DEFAULT_BUDGET, MIN_BUDGET, MAX_BUDGET] = [2000, 50, 20_000];

/** An answer that can be given shorter: every level shows more than the one below, the top one all there is. */
export interface DetailLevels {
  /** How many there are, one at least. */
  levels: number;
  /** The lowest, 0, is what an answer is never without: it is given even where it costs too much. */
  at(level: number): Level;
}

interface Level extends Answer {
  /** What this level does not show, said in the answer. */
  omitted?: Omitted | undefined;
}

interface Omitted {
  what: string[];
  /** Where to get it, other than with more tokens. */
  how?: string;
}

/**
 * The highest level of which neither channel costs more than the budget, by an estimate from above.
 *
 * @param elsewhere where all of it can be had
 */
export function fitToBudget({ levels, at }: DetailLevels, budget: number, elsewhere?: string): Answer {
  const more = elsewhere ?? (budget < MAX_BUDGET ? 'a larger max_tokens' : undefined);
  const withOmitted = (level: Level) => saying(level, budget, more);
  const whole = withOmitted(at(levels - 1));
  if (levels === 1 || fits(whole, budget)) return whole;
  let best = withOmitted(at(0));
  for (let [low, high] = [0, levels - 1]; high - low > 1; ) {
    const middle = (low + high) >> 1;
    const answer = withOmitted(at(middle));
    if (fits(answer, budget)) [low, best] = [middle, answer];
    else high = middle;
  }
  return size(best) < size(whole) ? best : whole; // what says that much was left out may be more than that
}

/** What the dearer channel costs. */
const size = ({ json, text }: Answer): number => Math.max(estimateTokens(text), estimateTokens(JSON.stringify(json)));

const fits = ({ json, text }: Answer, budget: number): boolean =>
  costsAtMost(text, budget) && costsAtMost(JSON.stringify(json), budget);

function saying({ json, text, omitted }: Level, budget: number, more: string | undefined): Answer {
  if (!omitted || omitted.what.length === 0) return { json, text };
  const ways = [omitted.how, more].filter(Boolean);
  const how = ways.length > 0 ? ` To get it: ${ways.join(', or ')}.` : '';
  const said = `Left out to stay within ${budget} tokens: ${omitted.what.join('; ')}.${how}`;
  return { json: { ...json, omitted: said }, text: `${text}\n${said}` };
}

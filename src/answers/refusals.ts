import type { Failure } from '../domain/judge.js';
import { MAX_CANDIDATES, type Refusal, type RefusalBody } from '../errors.js';
import { type Answer, escaped, quoted, withoutEmpty } from './shapes.js';

/** Renders what a refusal has besides its message: candidates, and conflicting fields. */
function detailLines({ candidates = [], conflict = [] }: RefusalBody): string[] {
  const more = candidates.length - MAX_CANDIDATES;
  return [
    ...candidates
      .slice(0, MAX_CANDIDATES)
      .map(({ id, title, name }) => (id === undefined ? `+${name}` : `#${id} ${quoted(title ?? '')}`)),
    ...(more > 0 ? [`and ${more} more`] : []),
    ...conflict.map(({ field, base, theirs, yours }) => {
      const [was, is, wanted] = [base, theirs, yours].map((value) => JSON.stringify(value));
      return escaped(`  ${field}: ${was ? `was ${was}, ` : ''}is ${is}${wanted ? `, you wanted ${wanted}` : ''}`);
    }),
  ];
}

const refusalJson = ({ code, message, hint, candidates = [], conflict }: RefusalBody) => ({
  code,
  message,
  hint,
  candidates: candidates.slice(0, MAX_CANDIDATES),
  candidates_total: candidates.length > MAX_CANDIDATES ? candidates.length : null,
  conflict,
});

/** A hint shared with the next failure is given there only. */
const hintOf = (failed: Failure[], i: number) =>
  failed[i + 1]?.hint === failed[i]?.hint ? undefined : failed[i]?.hint;
/** Renders failures for both channels. */
export const failedJson = (failed: Failure[]) =>
  failed.map(({ id, ...failure }, i) => withoutEmpty({ id, ...refusalJson(failure), hint: hintOf(failed, i) }));
export const failedLines = (failed: Failure[]) =>
  failed.flatMap((failure, i) => {
    const { id, message } = failure;
    const subject = typeof id === 'number' && !message.includes(`#${id}`) ? `#${id}:` : '';
    return [
      ['Failed:', subject, message, hintOf(failed, i)].filter(Boolean).join(' '),
      ...detailLines(failure).map((each) => `  ${each}`),
    ];
  });

/** Renders a refusal as an answer. */
export const refusalAnswer = ({ body }: Refusal): Answer => ({
  json: { error: withoutEmpty(refusalJson(body)) },
  text: [[body.message, body.hint].filter(Boolean).join(' '), ...detailLines(body)].join('\n'),
});

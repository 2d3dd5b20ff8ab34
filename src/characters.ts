/** Control characters, which terminals obey, and line separators. */
export const CONTROL = /[\p{Cc}\u2028\u2029]/u;

/**
 * Bidirectional controls that reorder the text around them. LRM, RLM and ALM are not included: right-to-left text needs
 * them, and they cannot reorder their surroundings.
 */
export const BIDI = /[\u202a-\u202e\u2066-\u2069]/u;

/**
 * Characters that nobody sees and that can spell out text: tags, except those that make up flags of regions (🏴󠁧󠁢󠁳󠁣󠁴󠁿), and
 * three or more other ignorable ones in a row. Emoji have two: a variation selector and a joiner.
 */
export const HIDDEN =
  /(?<!\u{1f3f4}[\u{e0020}-\u{e007e}]{0,6})[\u{e0000}-\u{e007f}]|(?:(?![\u{e0000}-\u{e007f}])\p{Default_Ignorable_Code_Point}){3,}/u;

/** Matches all of these characters (global): a control or tag alone, hidden ones as a run. */
export const UNSAFE = new RegExp(`${CONTROL.source}|${BIDI.source}|${HIDDEN.source}`, 'gu');

/** Matches text of which something can be seen: not only spaces, formatting characters and blank letters. */
export const VISIBLE = /[^\p{Z}\p{Cf}\p{Default_Ignorable_Code_Point}\u2800]/u;

/**
 * Makes any text storable as one line of at most `max` code points, by dropping characters that are not allowed. Looks
 * only at the beginning of a very long text.
 */
export const oneLine = (text: string, max: number): string =>
  [
    ...text
      .slice(0, 10 * max)
      .toWellFormed()
      .replace(/\s+/g, ' ')
      .replace(UNSAFE, ''),
  ]
    .slice(0, max)
    .join('')
    .trim();

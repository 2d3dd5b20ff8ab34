/** What a terminal would obey, or what would pass for the end of a line. */
export const CONTROL = /[\p{Cc}\u2028\u2029]/u;

/**
 * What changes the direction of the text around it. The marks LRM, RLM and ALM are not among them: right-to-left text needs
 * them, and they cannot reorder their surroundings.
 */
export const BIDI = /[\u202a-\u202e\u2066-\u2069]/u;

/** Each of either. */
export const UNSAFE = new RegExp(`${CONTROL.source}|${BIDI.source}`, 'gu');

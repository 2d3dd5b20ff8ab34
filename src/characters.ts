/** Control characters, which terminals obey, and line separators. */
export const CONTROL = /[\p{Cc}\u2028\u2029]/u;

/**
 * Bidirectional controls that reorder the text around them. LRM, RLM and ALM are not included: right-to-left text needs
 * them, and they cannot reorder their surroundings.
 */
export const BIDI = /[\u202a-\u202e\u2066-\u2069]/u;

/** Matches every character of both kinds (global). */
export const UNSAFE = new RegExp(`${CONTROL.source}|${BIDI.source}`, 'gu');

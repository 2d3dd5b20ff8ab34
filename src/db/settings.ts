/** Times come back as text: whatever the server's or the role's own settings are, as text that JavaScript can read. */
export const AS_TEXT = { timezone: 'UTC', datestyle: 'ISO' };

/** How what a user asks for is planned, on every database. */
export const PLANNING = {
  // Pages are in memory or on a disk that need not turn. Reckoning with one that does, PostgreSQL reads all of a small
  // table again for each row of a list, and sorts all that is ready instead of going by an index.
  random_page_cost: '1.1',
  // Once, not for each user: otherwise statements of a small account are planned at every call, which takes as long as
  // running them, wherever there are large ones. No plan of ours hangs on the values (`literal`, `listOf`),
  plan_cache_mode: 'force_generic_plan',
  // and none reads a whole table in the hope that the user has most of it.
  enable_seqscan: 'off',
};

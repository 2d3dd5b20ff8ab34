/** Makes the server write times as text that JavaScript can parse, whatever the server's or role's own settings. */
export const TIME_FORMAT = { timezone: 'UTC', datestyle: 'ISO' };

/** Planner settings of user transactions, on every database. */
export const PLANNING = {
  // Pages are in memory or on an SSD. With the default, for spinning disks, PostgreSQL scans a small table for each row
  // of a list, and sorts all ready tasks instead of using an index.
  random_page_cost: '1.1',
  // Plan once for all users. Otherwise, if there are large accounts, statements of small ones are planned on each call,
  // which takes as long as running them. Our plans do not depend on the values (`literalLimit`, `arrayOf`).
  plan_cache_mode: 'force_generic_plan',
  // Never scan a whole table on the assumption that the user owns most of it.
  enable_seqscan: 'off',
};

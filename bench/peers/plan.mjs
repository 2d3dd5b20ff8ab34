// The working day that every server manages: one plan, in wording that no server is optimized for.
const noon = new Date();
noon.setHours(12, 0, 0, 0);
const inDays = (days) => {
  const date = new Date(noon);
  date.setDate(date.getDate() + days);
  return [date.getFullYear(), date.getMonth() + 1, date.getDate()].map((n) => `${n}`.padStart(2, '0')).join('-');
};
export const today = inDays(0);

const rows = [
  ['scope', 'Agree on the scope of version 2', 'Settle with Ana what ships now and what waits.', 0, 'high'],
  ['schema', 'Design the order schema', 'Tables for orders, lines and refunds; note what is open.', 0, 'high'],
  ['alerts', 'Set up alerts for failed payments', 'Page whoever is on call after three in a row.', 0, 'medium'],
  ['backups', 'Check that backups restore', 'Restore last night’s into staging and count the rows.', 0, 'high'],
  ['keys', 'Rotate the payment keys', 'Both providers; the old ones end on Friday.', 1, 'high'],
  ['updates', 'Update the dependencies', 'Minor versions alone; leave the framework as it is.', 1, 'low'],
  ['migrate', 'Write the migration of old orders', 'In batches, so that it can be stopped.', 1, 'high', 'schema'],
  ['rehearse', 'Rehearse the migration on a copy', 'Measure how long it takes.', 2, 'high', 'migrate', 'backups'],
  ['api', 'Build the orders API', 'Create, read, list and cancel.', 2, 'high', 'schema'],
  ['refunds', 'Add refunds to the API', 'Whole and in part.', 3, 'medium', 'api'],
  ['addresses', 'Validate addresses at checkout', 'Warn, but never refuse.', 3, 'medium'],
  ['coupons', 'Support coupon codes', 'One code for each order.', 3, 'low'],
  ['checkout', 'Rework the checkout page', 'One page instead of four.', 3, 'high', 'api', 'addresses', 'coupons'],
  ['mail', 'Send confirmations by mail', 'In the language of the customer.', 4, 'medium', 'api'],
  ['load', 'Load-test the orders API', 'Two hundred orders in a second.', 4, 'medium', 'api'],
  ['access', 'Review access to the orders API', 'Who may see addresses, and why.', 5, 'high', 'refunds'],
  ['docs', 'Document the orders API', 'With an example for each call.', 5, 'medium', 'refunds'],
  ['notes', 'Write the release notes', 'For customers, not for engineers.', 6, 'low'],
  ['support', 'Brief the support team', 'Half an hour, with the release notes.', 6, 'medium', 'notes'],
  [
    'ship',
    'Release version 2',
    'In the morning, with everybody here.',
    7,
    'high',
    'rehearse',
    'checkout',
    'access',
    'load',
  ],
];

/** Sub-tasks of the task `parent`. On a server without sub-tasks, `parent` depends on them. */
export const subtasks = ['addresses', 'coupons'];
export const parent = 'checkout';
export const plan = rows.map(([key, title, description, days, priority, ...after], index) => ({
  key,
  number: index + 1,
  title,
  description,
  due: inDays(days),
  priority,
  after,
}));
export const task = Object.fromEntries(plan.map((each) => [each.key, each]));

export const viewed = ['schema', 'backups', 'keys'];
/** The tasks that are postponed, and their new due dates. */
export const postponed = [
  { keys: ['mail', 'docs'], due: inDays(8) },
  { keys: ['coupons', 'notes'], due: inDays(9) },
];
export const mistake = { key: 'ship', due: inDays(1) };
export const notes = {
  scope: 'Coupons and refunds ship; gift cards wait.',
  schema: 'Refunds refer to lines, not to orders.',
  alerts: 'Three failures in ten minutes page the on-call phone.',
  backups: 'Restored in 14 minutes; all row counts agree.',
  keys: 'Both rotated; the old keys are revoked on Friday.',
  updates: 'Eleven packages updated; all tests pass.',
};
export const done = Object.keys(notes);

/**
 * Checks what a server holds at the end of the day, and what it answered.
 *
 * @param found `{ done, due, text, waits }` by title, where `waits` is the number of dependencies
 * @param answers the text of each step's answers
 * @throws if anything is wrong
 */
export function checkDay(found, answers) {
  const wrong = [];
  const expect = (what, holds) => holds || wrong.push(what);
  const dates = new Map(postponed.flatMap(({ keys, due }) => keys.map((key) => [key, due])));
  expect(`${plan.length} tasks, not ${Object.keys(found).length}`, Object.keys(found).length === plan.length);
  for (const { key, title, due, after } of plan) {
    const it = found[title];
    if (!it) {
      wrong.push(`${title} is missing`);
      continue;
    }
    expect(`${key} done: ${it.done}`, it.done === done.includes(key));
    expect(`${key} due ${it.due}`, it.due === (dates.get(key) ?? due));
    expect(`${key} has ${it.waits} dependencies`, it.waits === after.length);
    if (notes[key]) expect(`${key} lost its note`, it.text.includes(notes[key]));
  }
  const expectMentions = (step, keys) => {
    for (const key of keys) expect(`${step} does not mention ${key}`, answers[step].includes(task[key].title));
  };
  expectMentions(
    'morning',
    plan.filter(({ due }) => due === today).map(({ key }) => key),
  );
  expectMentions('look', viewed);
  expectMentions(
    'review',
    plan.map(({ key }) => key),
  );
  if (wrong.length > 0) throw new Error(wrong.join('; '));
}

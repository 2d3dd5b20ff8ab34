/** Memoizes an async function. Concurrent callers share one attempt; after a failure, the next call tries again. */
export function once<T>(make: () => Promise<T>): { get(): Promise<T>; started(): Promise<T> | undefined } {
  let made: Promise<T> | undefined;
  const get = () => {
    made ??= make().catch((error: unknown) => {
      made = undefined;
      throw error;
    });
    return made;
  };
  return { get, started: () => made };
}

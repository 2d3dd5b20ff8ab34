/** Runs `make` until it has succeeded once; whoever asks meanwhile shares the attempt. */
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

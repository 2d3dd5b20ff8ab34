/** Thrown where code is needed that is not loaded yet. `withLate` loads it, and has the work done again. */
class NotLoaded extends Error {
  override name = 'NotLoaded';
  readonly load: () => Promise<unknown>;

  constructor(load: () => Promise<unknown>) {
    super('code was needed that is loaded late, outside withLate()');
    this.load = load;
  }
}

/** Code that is loaded when it is first needed: few calls need it, and all of them would wait for it. */
export class Late<Code> {
  readonly #load: () => Promise<Code>;
  #loading: Promise<Code> | undefined;
  #code: Code | undefined;

  constructor(load: () => Promise<Code>) {
    this.#load = load;
  }

  async load(): Promise<void> {
    this.#loading ??= this.#load();
    this.#code = await this.#loading;
  }

  /** @throws NotLoaded, which nobody but `withLate` catches */
  get(): Code {
    if (!this.#code) throw new NotLoaded(() => this.load());
    return this.#code;
  }
}

/** Does work that may need late code, and does it again each time some of it had to be loaded first. */
export async function withLate<T>(work: () => Promise<T>): Promise<T> {
  for (;;)
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof NotLoaded)) throw error;
      await error.load();
    }
}

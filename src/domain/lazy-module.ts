/** Thrown where code is needed that is not loaded yet. `withLate` loads it, and has the work done again. */
class NotLoaded extends Error {
  override name = 'NotLoaded';
  readonly load: () => Promise<unknown>;

  constructor(load: () => Promise<unknown>) {
    super('code was needed that is loaded late, outside withLate()');
    this.load = load;
  }
}

/** How long after the first work all late code is loaded, in milliseconds: by then nobody waits for the start. */
const LOAD_REST_AFTER = 1_000;

const all: LazyModule<unknown>[] = [];
let planned = false;

/** Of a program that is replaced while it runs, files that were not read yet are gone. */
function loadTheRest(): void {
  if (planned) return;
  planned = true;
  setTimeout(() => {
    for (const each of all) each.load().catch(() => {}); // whoever needs it hears of it
  }, LOAD_REST_AFTER).unref();
}

/** Code that is loaded when it is first needed: few calls need it, and all of them would wait for it. */
export class LazyModule<Code> {
  readonly #load: () => Promise<Code>;
  #loading: Promise<Code> | undefined;
  #code: Code | undefined;

  constructor(load: () => Promise<Code>) {
    this.#load = load;
    all.push(this);
  }

  async load(): Promise<void> {
    if (this.#code) return;
    this.#loading ??= this.#load().finally(() => {
      this.#loading = undefined; // what failed once may succeed
    });
    this.#code = await this.#loading;
  }

  /** @throws NotLoaded, which nobody but `withLate` catches */
  get(): Code {
    if (!this.#code) throw new NotLoaded(() => this.load());
    return this.#code;
  }
}

/** Does work that may need late code, and does it again each time some of it had to be loaded first. */
export async function withLazyModules<T>(work: () => Promise<T>): Promise<T> {
  for (;;)
    try {
      const done = await work();
      loadTheRest();
      return done;
    } catch (error) {
      if (!(error instanceof NotLoaded)) throw error;
      await error.load();
    }
}

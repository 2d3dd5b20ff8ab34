/** Thrown if code is needed that is not loaded yet. `withLazyModules` loads it and retries. */
class NotLoaded extends Error {
  override name = 'NotLoaded';
  readonly load: () => Promise<unknown>;

  constructor(load: () => Promise<unknown>) {
    super('a lazy module was needed outside withLazyModules()');
    this.load = load;
  }
}

/** Delay in milliseconds from the first completed call until all lazy modules are loaded, to keep startup fast. */
const LOAD_REST_AFTER = 1_000;

const all: LazyModule<unknown>[] = [];
let planned = false;

/** Loads all lazy modules, because an update of the program while it runs removes files not read yet. */
function loadTheRest(): void {
  if (planned) return;
  planned = true;
  setTimeout(() => {
    for (const each of all) each.load().catch(() => {}); // thrown again when it is needed
  }, LOAD_REST_AFTER).unref();
}

/** A module loaded when first needed: few calls need it, and loading it at startup would delay all of them. */
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
      this.#loading = undefined; // retry after a failure
    });
    this.#code = await this.#loading;
  }

  /** @throws NotLoaded, which only `withLazyModules` catches */
  get(): Code {
    if (!this.#code) throw new NotLoaded(() => this.load());
    return this.#code;
  }
}

/** Runs work that may need lazy modules, and retries it each time one had to be loaded first. */
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

/** Calls back for the events of `Events`, a map of names to what is said with each. */
export class Emitter<Events extends object> {
  readonly #listeners = new Map<keyof Events, Set<(event: never) => void>>();

  /** Calls `listener` at each event of that name, until the function that is returned is called. */
  on<Name extends keyof Events>(name: Name, listener: (event: Events[Name]) => void): () => void {
    const listeners = this.#listeners.get(name) ?? new Set();
    this.#listeners.set(name, listeners);
    // Wrapped, so that the same function can be added twice and each be taken off.
    const own = (event: Events[Name]) => listener(event);
    listeners.add(own);
    return () => void listeners.delete(own);
  }

  /** Tells the listeners. One that throws keeps no other from hearing, and nothing from going on. */
  emit<Name extends keyof Events>(name: Name, event: Events[Name]): void {
    for (const listener of [...(this.#listeners.get(name) ?? [])]) {
      shielded(() => (listener as (event: Events[Name]) => void)(event));
    }
  }
}

/** Calls what others gave us; what it throws goes to the console. */
export function shielded(call: () => void): void {
  try {
    call();
  } catch (error) {
    console.error('[lastseen] a listener failed', error);
  }
}

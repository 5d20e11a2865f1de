import type { ChannelLike, Environment, LocksLike, WorkerLike } from '../../src/environment.js';

type Listener = (event: object) => void;

class Events {
  readonly #listeners = new Map<string, Set<Listener>>();

  addEventListener(type: string, listener: Listener): void {
    this.#listeners.set(type, (this.#listeners.get(type) ?? new Set()).add(listener));
  }

  removeEventListener(type: string, listener: Listener): void {
    this.#listeners.get(type)?.delete(listener);
  }

  fire(type: string, event: object = {}): void {
    for (const listener of [...(this.#listeners.get(type) ?? [])]) listener(event);
  }

  get count(): number {
    return [...this.#listeners.values()].reduce((sum, { size }) => sum + size, 0);
  }
}

interface Claim {
  readonly tab: Tab;
  readonly grant: (lock: object | null) => void;
}

/** A browser of one origin: tabs share its locks, channels and local storage. */
export class Browser {
  readonly channels = new Set<Channel>();
  readonly storage = new Map<string, string>();
  readonly tabs = new Set<Tab>();
  readonly #locks = new Map<string, Claim[]>();

  tab(without: { locks?: true; channels?: true } = {}): Tab {
    const tab = new Tab(this, without);
    this.tabs.add(tab);
    return tab;
  }

  /** Who holds a lock, by its name's beginning. */
  holder(prefix: string): Tab | undefined {
    return [...this.#locks].find(([name]) => name.startsWith(prefix))?.[1][0]?.tab;
  }

  get lockNames(): string[] {
    return [...this.#locks.keys()];
  }

  async request<T>(
    tab: Tab,
    name: string,
    options: { ifAvailable?: boolean; signal?: AbortSignal },
    callback: (lock: unknown) => Promise<T>,
  ): Promise<T> {
    const queue = this.#locks.get(name) ?? [];
    this.#locks.set(name, queue);
    if (options.ifAvailable && queue.length > 0) return callback(null);
    const lock = await new Promise<object | null>((grant, refuse) => {
      const claim = { tab, grant };
      queue.push(claim);
      options.signal?.addEventListener('abort', () => {
        if (queue[0] === claim) return;
        this.#leave(name, claim);
        refuse(new DOMException('aborted', 'AbortError'));
      });
      if (queue[0] === claim) grant({ name });
    });
    const mine = queue.find((claim) => claim.tab === tab);
    try {
      return await callback(lock);
    } finally {
      if (mine) this.#leave(name, mine);
    }
  }

  /** A tab is gone: so are its claims. */
  drop(tab: Tab): void {
    this.tabs.delete(tab);
    for (const [name, queue] of this.#locks) {
      for (const claim of queue.filter((one) => one.tab === tab)) this.#leave(name, claim);
    }
  }

  #leave(name: string, claim: Claim): void {
    const queue = this.#locks.get(name) ?? [];
    const [first] = queue;
    const at = queue.indexOf(claim);
    if (at < 0) return;
    queue.splice(at, 1);
    if (queue[0] && queue[0] !== first) queue[0].grant({ name });
    if (queue.length === 0) this.#locks.delete(name);
  }
}

class Channel implements ChannelLike {
  onmessage: ((event: { readonly data: unknown }) => void) | null = null;

  constructor(
    readonly tab: Tab,
    readonly name: string,
  ) {
    tab.browser.channels.add(this);
  }

  postMessage(message: unknown): void {
    if (this.tab.frozen) return;
    for (const other of this.tab.browser.channels) {
      if (other === this || other.name !== this.name) continue;
      const data: unknown = structuredClone(message);
      queueMicrotask(() => {
        if (this.tab.browser.channels.has(other) && !other.tab.frozen) other.onmessage?.({ data });
      });
    }
  }

  close(): void {
    this.tab.browser.channels.delete(this);
  }
}

/** One tab, with what the package takes from it. */
export class Tab {
  readonly window = new Events();
  readonly document = Object.assign(new Events(), { visibilityState: 'visible' });
  readonly localStorage;
  readonly environment: Environment;
  /** A frozen tab hears nothing and says nothing. */
  frozen = false;

  constructor(
    readonly browser: Browser,
    without: { locks?: true; channels?: true },
  ) {
    const locks: LocksLike = { request: (name, options, callback) => browser.request(this, name, options, callback) };
    const openChannel = (name: string) => new Channel(this, name);
    this.environment = {
      window: this.window,
      document: this.document,
      href: 'https://page.example/admin',
      ...(!without.locks && { locks }),
      ...(!without.channels && { openChannel }),
    };
    this.localStorage = this.#localStorage();
  }

  look(): void {
    this.document.visibilityState = 'visible';
    this.document.fire('visibilitychange');
  }

  lookAway(): void {
    this.document.visibilityState = 'hidden';
    this.document.fire('visibilitychange');
  }

  online(): void {
    this.window.fire('online');
  }

  /** Closed or left: what it holds is gone after it was told. */
  close(): void {
    this.window.fire('pagehide', { persisted: false });
    this.crash();
  }

  /** Gone without a word. */
  crash(): void {
    this.frozen = true;
    for (const channel of [...this.browser.channels]) if (channel.tab === this) channel.close();
    this.browser.drop(this);
  }

  get listeners(): number {
    return this.window.count + this.document.count;
  }

  #localStorage() {
    const { storage, tabs } = this.browser;
    const tell = (key: string) => {
      for (const tab of tabs) {
        if (tab !== this) queueMicrotask(() => tab.window.fire('storage', { key, storageArea: tab.localStorage }));
      }
    };
    return {
      getItem: (key: string) => storage.get(key) ?? null,
      setItem: (key: string, value: string) => {
        storage.set(key, value);
        tell(key);
      },
      removeItem: (key: string) => {
        storage.delete(key);
        tell(key);
      },
    };
  }
}

/** A worker that keeps timers as the real script does, or fails. */
export class FakeWorker implements WorkerLike {
  onmessage: ((event: { readonly data: unknown }) => void) | null = null;
  onerror: ((event: unknown) => void) | null = null;
  readonly timers = new Map<number, ReturnType<typeof setTimeout>>();
  terminated = false;

  postMessage(message: unknown): void {
    const [id, ms] = message as [number, number | null];
    clearTimeout(this.timers.get(id));
    this.timers.delete(id);
    if (ms === null || this.terminated) return;
    this.timers.set(id, setTimeout(() => {
      this.timers.delete(id);
      this.onmessage?.({ data: id });
    }, ms));
  }

  terminate(): void {
    this.terminated = true;
    this.timers.forEach((timer) => clearTimeout(timer));
  }
}

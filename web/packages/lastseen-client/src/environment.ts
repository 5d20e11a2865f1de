/**
 * What this package takes from a browser, as small as it needs it. Everything may be missing, as in Node; tests give
 * their own.
 */

/** How one listens. */
export interface ListenerOptions {
  /** Before those that may keep the event to themselves. */
  readonly capture?: boolean;
  /** The event is only looked at. */
  readonly passive?: boolean;
}

/** Something that tells of events. */
export interface EventSource {
  addEventListener(type: string, listener: (event: object) => void, options?: ListenerOptions): void;
  removeEventListener(type: string, listener: (event: object) => void, options?: ListenerOptions): void;
}

/** Of `document`. */
export interface DocumentLike extends EventSource {
  readonly visibilityState: string;
}

/** Of `navigator.locks`. */
export interface LocksLike {
  request<T>(
    name: string,
    options: { readonly ifAvailable?: boolean; readonly signal?: AbortSignal },
    callback: (lock: unknown) => Promise<T>,
  ): Promise<T>;
}

/** Of a `BroadcastChannel`. */
export interface ChannelLike {
  onmessage: ((event: { readonly data: unknown }) => void) | null;
  postMessage(message: unknown): void;
  close(): void;
}

/** Of a `Worker`. */
export interface WorkerLike {
  onmessage: ((event: { readonly data: unknown }) => void) | null;
  onerror: ((event: unknown) => void) | null;
  postMessage(message: unknown): void;
  terminate(): void;
}

/** What there is around this package. */
export interface Environment {
  /** Tells of `online`, `pagehide`, `pageshow` and `storage`, and of what people do. */
  readonly window?: EventSource;
  /** Tells of `visibilitychange`. */
  readonly document?: DocumentLike;
  /** Web Locks. */
  readonly locks?: LocksLike;
  /** Opens a `BroadcastChannel`. */
  readonly openChannel?: (name: string) => ChannelLike;
  /** Starts a worker: from an address, or from a script's text. May throw. */
  readonly startWorker?: (script: { readonly url: string | URL } | { readonly source: string }) => WorkerLike;
  /** The page's address, which relative ones are resolved against. */
  readonly href?: string;
}

function startBrowserWorker(script: { readonly url: string | URL } | { readonly source: string }): WorkerLike {
  if ('url' in script) return new Worker(script.url) as WorkerLike;
  const url = URL.createObjectURL(new Blob([script.source], { type: 'text/javascript' }));
  try {
    return new Worker(url) as WorkerLike;
  } finally {
    // Later: some browsers fetch the script after the constructor has returned.
    setTimeout(() => URL.revokeObjectURL(url), 10_000);
  }
}

/**
 * The environment that this runs in. Outside of a page it is empty: Node has a `BroadcastChannel` too, but that would
 * keep the process alive, and there are no tabs to share with.
 */
export function detectEnvironment(): Environment {
  const scope = globalThis as Partial<Pick<typeof globalThis, 'document' | 'window' | 'BroadcastChannel' | 'Worker'>>;
  const { window: page, document: shown } = scope;
  if (page === undefined || shown === undefined) return {};
  const locks = (page.navigator as Partial<Navigator>).locks;
  const Channel = scope.BroadcastChannel;
  return {
    window: page,
    document: shown,
    href: page.location.href,
    ...(locks && {
      locks: {
        request: <T>(name: string, options: LockOptions, callback: (lock: unknown) => Promise<T>) =>
          locks.request(name, options, callback) as Promise<T>,
      },
    }),
    ...(Channel && { openChannel: (name: string) => new Channel(name) as ChannelLike }),
    ...(scope.Worker && { startWorker: startBrowserWorker }),
  };
}

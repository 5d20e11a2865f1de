/** The tokens of a session. */
export interface Tokens {
  /** Goes with each request, and lives for minutes. */
  readonly access: string;
  /** Gets the next pair, once. */
  readonly refresh: string;
}

/** Where a {@link Session} keeps its tokens. Read anew at each use, so that tabs may share one. */
export interface TokenStorage {
  /** The tokens; null where there are none. */
  read(): Tokens | null;
  /** Keeps these instead of any before. */
  write(tokens: Tokens): void;
  /** Forgets them. */
  erase(): void;
  /** Whether a `storage` event tells of these tokens. Without it, none does. */
  isMeant?(event: { readonly key?: string | null; readonly storageArea?: unknown }): boolean;
}

/** Keeps tokens as long as the page lives, out of reach of whatever reads web storage. */
export function memoryStorage(): TokenStorage {
  let kept: Tokens | null = null;
  return {
    read: () => kept,
    write: (tokens) => {
      kept = tokens;
    },
    erase: () => {
      kept = null;
    },
  };
}

/** Of `localStorage` and `sessionStorage`. */
export interface WebStorageLike {
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
  removeItem(key: string): void;
}

/**
 * Keeps tokens in `localStorage`, where all tabs share them, or in `sessionStorage`, where each tab has its own. What
 * can't be written there, because it is full or not allowed, is kept in memory.
 */
export function webStorage(storage: WebStorageLike, key = 'lastseen.session'): TokenStorage {
  const memory = memoryStorage();
  return {
    read: () => memory.read() ?? parse(attempted(() => storage.getItem(key)) ?? null),
    write: (tokens) => {
      memory.erase();
      const written = attempted(() => {
        storage.setItem(key, JSON.stringify({ access: tokens.access, refresh: tokens.refresh }));
        return true;
      });
      if (!written) memory.write(tokens);
    },
    erase: () => {
      memory.erase();
      attempted(() => storage.removeItem(key));
    },
    isMeant: (event) => event.storageArea === storage && (event.key === key || event.key === null),
  };
}

function attempted<T>(call: () => T): T | undefined {
  try {
    return call();
  } catch {
    return undefined;
  }
}

function parse(text: string | null): Tokens | null {
  const seen = attempted(() => JSON.parse(text ?? '') as Partial<Tokens> | null);
  if (typeof seen?.access !== 'string' || typeof seen.refresh !== 'string') return null;
  return { access: seen.access, refresh: seen.refresh };
}

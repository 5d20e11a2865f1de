// Answers with their ETag, so that the next request can say "only if it changed" and a 304 keeps the data.

import { errorOf, settled } from "./problem";

interface Kept {
  etag: string;
  data: unknown;
  /** When the server last said that it holds. */
  checkedAt: number;
  /** When it was asked that: what has been heard since is younger. */
  askedAt: number;
}

const MOST = 200;

export class Conditional {
  private kept = new Map<string, Kept>();

  /** The data last seen under a name, if it was checked within `age` milliseconds. */
  recent<T>(name: string, age: number): T | undefined {
    const entry = this.kept.get(name);
    return entry && Date.now() - entry.checkedAt <= age ? (entry.data as T) : undefined;
  }

  checkedAt(name: string): number {
    return this.kept.get(name)?.checkedAt ?? 0;
  }

  askedAt(name: string): number {
    return this.kept.get(name)?.askedAt ?? 0;
  }

  async get<T>(
    name: string,
    ask: (headers: Record<string, string>) => Promise<{ data?: T; error?: unknown; response: Response }>,
  ): Promise<T> {
    const before = this.kept.get(name);
    const askedAt = Date.now();
    const { data, error, response } = await settled(ask(before ? { "If-None-Match": before.etag } : {}));
    if (response.status === 304 && before) {
      before.checkedAt = Date.now();
      before.askedAt = askedAt;
      return before.data as T;
    }
    if (!response.ok) throw errorOf(response, error);
    const etag = response.headers.get("ETag");
    this.kept.delete(name);
    if (etag) this.kept.set(name, { etag, data, checkedAt: Date.now(), askedAt });
    if (this.kept.size > MOST) this.kept.delete(this.kept.keys().next().value as string);
    return data as T;
  }

  /** After a change of one's own, and after log-out. */
  clear() {
    this.kept.clear();
  }
}

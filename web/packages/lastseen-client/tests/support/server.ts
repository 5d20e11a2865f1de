import type { Fetch } from '../../src/http.js';

/** A request that a fake server has got. */
export interface Got {
  readonly at: number;
  readonly method: string;
  readonly url: string;
  readonly path: string;
  readonly token: string | null;
  readonly headers: Headers;
  readonly body: unknown;
  readonly keepalive: boolean;
  readonly signal: AbortSignal | null;
}

export type Answering = (got: Got) => Response | Promise<Response>;

/** A `fetch` that answers by rules and keeps what it was asked. */
export class FakeServer {
  readonly got: Got[] = [];
  answering: Answering;
  readonly #next: Answering[] = [];

  constructor(answering: Answering = online) {
    this.answering = answering;
  }

  readonly fetch: Fetch = async (input, init) => {
    const request = input instanceof Request ? input : null;
    const url = input instanceof Request ? input.url : input.toString();
    const headers = new Headers(init?.headers ?? request?.headers);
    const text = typeof init?.body === 'string' ? init.body : await request?.text();
    const got: Got = {
      at: Date.now(),
      method: init?.method ?? request?.method ?? 'GET',
      url,
      path: new URL(url, 'https://page.example').pathname,
      token: headers.get('Authorization')?.replace('Bearer ', '') ?? null,
      headers,
      body: text ? (JSON.parse(text) as unknown) : undefined,
      keepalive: init?.keepalive ?? false,
      signal: init?.signal ?? null,
    };
    this.got.push(got);
    return (this.#next.shift() ?? this.answering)(got);
  };

  /** Answers the next requests so, one each. */
  once(...answers: Answering[]): void {
    this.#next.push(...answers);
  }

  /** The moments of the requests, in milliseconds since `start`. */
  times(start: number): number[] {
    return this.got.map(({ at }) => at - start);
  }

  paths(): string[] {
    return this.got.map(({ path }) => path);
  }

  tokens(): (string | null)[] {
    return this.got.map(({ token }) => token);
  }
}

export function json(body: unknown, status = 200, headers: Record<string, string> = {}): Response {
  return new Response(JSON.stringify(body), { status, headers: { 'Content-Type': 'application/json', ...headers } });
}

/** A heartbeat's answer. */
export function online(): Response {
  const now = Date.now();
  return json({
    online_status: 'online',
    last_seen: new Date(now).toISOString(),
    online_until: new Date(now + 120_000).toISOString(),
  });
}

/** An error of the server's. */
export function problem(status: number, code: string, retryAfter?: number | string): Response {
  const body = { type: `/api/docs/#${code}`, title: `Title of ${code}`, status, detail: `Detail of ${code}.`, code };
  return json(body, status, {
    'Content-Type': 'application/problem+json',
    ...(retryAfter !== undefined && { 'Retry-After': String(retryAfter) }),
  });
}

export const noNetwork = (): Promise<Response> => Promise.reject(new TypeError('fetch failed'));
/** No answer ever; like the real thing, it gives up at the signal. */
export const silence = ({ signal }: Got): Promise<Response> =>
  new Promise((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason as Error)));

/** An access token of a session, as the server makes them. */
export function accessToken(sid: number, turn = 1): string {
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
  return `${part({ alg: 'HS256' })}.${part({ sub: 7, sid, jti: turn })}.signature`;
}

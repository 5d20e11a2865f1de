import { asLastseenError, LastseenError, localError, problemFrom } from './problem.js';
import type { Clock } from './time/clock.js';

/** `fetch`, or what behaves like it. */
export type Fetch = (input: string | URL | Request, init?: RequestInit) => Promise<Response>;

/** The platform's `fetch`, looked up at each call. */
export const systemFetch: Fetch = (input, init) => fetch(input, init);

/** Nobody is asked to wait for longer than this, whatever `Retry-After` says. */
const LONGEST_RETRY_AFTER_MS = 300_000;

/** An answer that has been read. */
export interface Answer {
  /** Whether it is a 2xx. */
  readonly ok: boolean;
  /** The HTTP status. */
  readonly status: number;
  /** The JSON body; undefined where there is none. */
  readonly body: unknown;
  /** `Retry-After` in milliseconds; null where there is none. */
  readonly retryAfterMs: number | null;
}

/** Reads `Retry-After`: seconds, or a date. At most five minutes. */
export function retryAfterMs(header: string | null, now: number): number | null {
  if (header === null || header.trim() === '') return null;
  const seconds = Number(header);
  const ms = Number.isFinite(seconds) ? seconds * 1_000 : Date.parse(header) - now;
  return Number.isFinite(ms) ? Math.min(LONGEST_RETRY_AFTER_MS, Math.max(0, ms)) : null;
}

/** Settles as `promise` does, but fails with `timeout` after so long, and with `aborted` at the signal. */
export async function within<T>(promise: Promise<T>, clock: Clock, ms: number, signal?: AbortSignal): Promise<T> {
  let stopWaiting = (): void => undefined;
  const refusal = new Promise<never>((_, reject) => {
    const handle = clock.setTimeout(() => reject(localError('timeout', 'No answer came in time.')), ms);
    const abort = () => reject(localError('aborted', 'The request was taken back.'));
    if (signal?.aborted) abort();
    signal?.addEventListener('abort', abort);
    stopWaiting = () => {
      clock.clearTimeout(handle);
      signal?.removeEventListener('abort', abort);
    };
  });
  try {
    return await Promise.race([promise, refusal]);
  } finally {
    stopWaiting();
  }
}

/** With what a request is made. */
export interface Wire {
  readonly fetch: Fetch;
  readonly clock: Clock;
}

/**
 * Sends a request and reads the answer, all of it within `timeoutMs`.
 *
 * @throws LastseenError `network`, `timeout` or `aborted` where no answer came.
 */
export async function exchange(
  wire: Wire,
  url: string,
  init: RequestInit,
  limits: { readonly timeoutMs: number; readonly signal?: AbortSignal },
): Promise<Answer> {
  if (limits.signal?.aborted) throw localError('aborted', 'The request was taken back.');
  const controller = new AbortController();
  const reading = async (): Promise<Answer> => {
    const response = await wire.fetch(url, { ...init, signal: controller.signal });
    const after = retryAfterMs(response.headers.get('Retry-After'), wire.clock.now());
    return { ok: response.ok, status: response.status, body: json(await response.text()), retryAfterMs: after };
  };
  try {
    return await within(reading(), wire.clock, limits.timeoutMs, limits.signal);
  } catch (error) {
    throw asLastseenError(error);
  } finally {
    // Frees the connection of whoever was not waited for; does nothing to an answer that was read.
    controller.abort();
  }
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The error that an answer with a 4xx or a 5xx stands for. */
export function errorOf(answer: Answer): LastseenError {
  return new LastseenError(problemFrom(answer.status, answer.body), { retryAfterMs: answer.retryAfterMs });
}

/** The parts of a POST with a JSON body. */
export function post(body: unknown, access?: string): RequestInit {
  const headers: Record<string, string> = {};
  if (access !== undefined) headers.Authorization = `Bearer ${access}`;
  if (body === undefined) return { method: 'POST', headers };
  headers['Content-Type'] = 'application/json';
  return { method: 'POST', headers, body: JSON.stringify(body) };
}

/** A base address without the slashes at its end. */
export function trimmed(baseUrl: string): string {
  return baseUrl.replace(/\/+$/, '');
}

import { type Answer, errorOf, exchange, post, within, type Wire } from '../http.js';
import { asLastseenError, type LastseenError, localError, type Reason } from '../problem.js';
import type { HeartbeatAnswer, HeartbeatOptions } from './types.js';

/** How an attempt ended. */
export type Outcome =
  | { readonly kind: 'ok'; readonly answer: HeartbeatAnswer }
  | { readonly kind: 'refused'; readonly reason: Reason }
  | { readonly kind: 'failed'; readonly reason: Reason; readonly retryAfterMs: number | null }
  | { readonly kind: 'aborted' };

/** What an attempt is made with. */
export interface AttemptWith {
  readonly wire: Wire;
  readonly url: string;
  readonly options: Pick<HeartbeatOptions, 'getAccessToken' | 'refreshAccessToken'>;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  /** For how many seconds nobody has touched this device, where that is to be said. */
  readonly idleSeconds: number | null;
  /** Told of each token that is used. */
  readonly onToken: (token: string) => void;
}

/** A page's code may ask a server for a token, with retries of its own. */
const TOKEN_TIMEOUT_MS = 30_000;

/** Sends one heartbeat; a second, after a refresh, where the token has expired. Never throws. */
export async function attempt(by: AttemptWith): Promise<Outcome> {
  try {
    const token = await accessToken(by);
    const answer = await send(by, token);
    const expired = answer.status === 401 && errorOf(answer).code === 'token_expired';
    const { refreshAccessToken } = by.options;
    if (!expired || !refreshAccessToken) return judge(answer);
    const renewed = await within(refreshAccessToken(token), by.wire.clock, TOKEN_TIMEOUT_MS, by.signal);
    if (renewed === null || renewed === '') return { kind: 'refused', reason: errorOf(answer).reason };
    const second = await send(by, renewed);
    // Expired at once: a clock is wrong, or the computer slept in between. That may pass.
    if (second.status === 401 && errorOf(second).code === 'token_expired') return failed(errorOf(second));
    return judge(second);
  } catch (thrown) {
    const error = asLastseenError(thrown);
    if (error.code === 'aborted') return { kind: 'aborted' };
    const final = error.status === 401 || error.status === 403;
    return final ? { kind: 'refused', reason: error.reason } : failed(error);
  }
}

async function accessToken({ options, wire, signal }: AttemptWith): Promise<string> {
  const token = await within(Promise.resolve(options.getAccessToken()), wire.clock, TOKEN_TIMEOUT_MS, signal);
  if (token === '') throw localError('not_logged_in', 'There is no access token.', 401);
  return token;
}

async function send(by: AttemptWith, token: string): Promise<Answer> {
  const { idleSeconds, signal, timeoutMs, url, wire } = by;
  by.onToken(token);
  const body = idleSeconds === null ? undefined : { idle_seconds: idleSeconds };
  const answer = await exchange(wire, url, post(body, token), { timeoutMs, signal });
  // An older server knows no idleness. That somebody is there, it is told all the same.
  if (answer.status !== 422 || body === undefined) return answer;
  return exchange(wire, url, post(undefined, token), { timeoutMs, signal });
}

function failed(error: LastseenError): Outcome {
  return { kind: 'failed', reason: error.reason, retryAfterMs: error.retryAfterMs };
}

function judge(answer: Answer): Outcome {
  if (answer.ok) {
    const body = answer.body as Partial<HeartbeatAnswer> | null | undefined;
    if (Number.isFinite(Date.parse(body?.online_until ?? ''))) return { kind: 'ok', answer: body as HeartbeatAnswer };
    // A network's log-in page, say.
    return failed(localError('unexpected_answer', 'The answer is none of a Lastseen server.', answer.status));
  }
  const error = errorOf(answer);
  if (answer.status === 401 || answer.status === 403) return { kind: 'refused', reason: error.reason };
  return failed(error);
}

/**
 * Tells the server that the page is going away, in a request that outlives it. Whatever comes of it is ignored: the
 * page is gone, and the server's time-out does the rest.
 */
export function leave(fetch: Wire['fetch'], url: string, token: string): void {
  try {
    void fetch(url, { ...post({ leaving: true }, token), keepalive: true }).catch(() => undefined);
  } catch {
    // A fetch that throws at once is no different.
  }
}

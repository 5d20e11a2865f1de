import type { LocksLike } from '../environment.js';
import { errorOf, exchange, post, type Wire } from '../http.js';
import { asLastseenError, localError } from '../problem.js';
import type { Tokens } from './storage.js';

/**
 * Within 5 seconds of its first use, a refresh token gives the same successor again. So an answer that was lost is
 * asked for again soon: later it would count as theft, and end the session.
 */
const TIMEOUT_MS = 4_000;
const PAUSES_MS = [250, 750];

/**
 * Turns a refresh token into the next pair.
 *
 * @throws LastseenError the server's refusal, or `network` or `timeout` after three tries.
 */
export async function renew(wire: Wire, baseUrl: string, refresh: string): Promise<Tokens> {
  for (let tries = 0; ; tries += 1) {
    try {
      return await ask(wire, baseUrl, refresh);
    } catch (thrown) {
      const error = asLastseenError(thrown);
      const pause = PAUSES_MS[tries];
      if (error.status !== 0 || pause === undefined) throw error;
      await new Promise<void>((resolve) => void wire.clock.setTimeout(resolve, pause));
    }
  }
}

async function ask(wire: Wire, baseUrl: string, refresh: string): Promise<Tokens> {
  const url = `${baseUrl}/api/users/token/refresh/`;
  const answer = await exchange(wire, url, post({ refresh }), { timeoutMs: TIMEOUT_MS });
  if (!answer.ok) throw errorOf(answer);
  return tokensFrom(answer.body);
}

/**
 * The tokens in an answer.
 *
 * @throws LastseenError `unexpected_answer` where there are none: a network's log-in page, say.
 */
export function tokensFrom(body: unknown): Tokens {
  const seen = body as Partial<Tokens> | null | undefined;
  if (typeof seen?.access === 'string' && typeof seen.refresh === 'string') {
    return { access: seen.access, refresh: seen.refresh };
  }
  throw localError('unexpected_answer', 'The answer is none of a Lastseen server.', 502);
}

/** Does `work` while no other tab does work of that name; at once where there are no locks. */
export async function exclusively<T>(locks: LocksLike | undefined, name: string, work: () => Promise<T>): Promise<T> {
  if (!locks) return work();
  const seen = { begun: false };
  try {
    return await locks.request(name, {}, () => {
      seen.begun = true;
      return work();
    });
  } catch (error) {
    // A page of an opaque origin has locks in name only.
    if (seen.begun) throw error;
    return work();
  }
}

import { type Answer, errorOf, exchange, type Wire } from '../http.js';
import { localError } from '../problem.js';
import type { LiveOptions } from './types.js';

/** Requests with the access token, which is renewed where it has expired. */
export class Requests {
  readonly #wire: Wire;
  readonly #baseUrl: string;
  readonly #options: Pick<LiveOptions, 'getAccessToken' | 'refreshAccessToken'>;
  readonly #timeoutMs: number;

  /** `baseUrl` without a slash at its end. */
  constructor(wire: Wire, baseUrl: string, options: LiveOptions, timeoutMs: number) {
    this.#wire = wire;
    this.#baseUrl = baseUrl;
    this.#options = options;
    this.#timeoutMs = timeoutMs;
  }

  /**
   * Sends one, and answers the body.
   *
   * @throws LastseenError
   */
  async send(method: string, path: string, body?: unknown, signal?: AbortSignal): Promise<unknown> {
    const token = await this.#options.getAccessToken();
    if (token === '') throw localError('not_logged_in', 'There is no access token.', 401);
    const answer = await this.#exchange(method, path, body, token, signal);
    if (answer.ok) return answer.body;
    const error = errorOf(answer);
    const renewed = error.code === 'token_expired' ? await this.#options.refreshAccessToken?.(token) : null;
    if (renewed === null || renewed === undefined || renewed === '') throw error;
    const second = await this.#exchange(method, path, body, renewed, signal);
    if (!second.ok) throw errorOf(second);
    return second.body;
  }

  #exchange(method: string, path: string, body: unknown, token: string, signal?: AbortSignal): Promise<Answer> {
    const headers: Record<string, string> = { Authorization: `Bearer ${token}` };
    if (body !== undefined) headers['Content-Type'] = 'application/json';
    const init: RequestInit = { method, headers, cache: 'no-store' };
    if (body !== undefined) init.body = JSON.stringify(body);
    const limits = { timeoutMs: this.#timeoutMs, ...(signal && { signal }) };
    return exchange(this.#wire, this.#baseUrl + path, init, limits);
  }
}

/**
 * Errors as the server says them (RFC 9457), and the one error class of this package.
 */

/** The body of every error of the server. */
export interface Problem {
  /** Where the code is described, relative to the server. */
  readonly type: string;
  /** The code's title. */
  readonly title: string;
  /** The HTTP status; 0 where no answer came. */
  readonly status: number;
  /** A sentence for a person. */
  readonly detail: string;
  /** A stable word, such as `token_expired`. */
  readonly code: string;
  /** The field, query parameter or header that is wrong. */
  readonly field?: string;
}

/** Why something ended or failed: the code and the sentence of a {@link Problem}. */
export interface Reason {
  /** A stable word. */
  readonly code: string;
  /** A sentence for a person. */
  readonly detail: string;
}

/**
 * What this package throws. Beside the server's own codes there are `network` (no answer), `timeout` (none in time),
 * `aborted`, `not_logged_in`, `unexpected_answer`, and `http_502` and the like where an answer is none of the
 * server's own.
 */
export class LastseenError extends Error {
  override readonly name = 'LastseenError';
  /** The whole problem. */
  readonly problem: Problem;
  /** After how many milliseconds the server wants to be asked again; null where it does not say. */
  readonly retryAfterMs: number | null;

  /** Makes an error of a problem. */
  constructor(problem: Problem, options: { retryAfterMs?: number | null; cause?: unknown } = {}) {
    super(problem.detail, options.cause === undefined ? undefined : { cause: options.cause });
    this.problem = problem;
    this.retryAfterMs = options.retryAfterMs ?? null;
  }

  /** The problem's code. */
  get code(): string {
    return this.problem.code;
  }

  /** The HTTP status; 0 where no answer came. */
  get status(): number {
    return this.problem.status;
  }

  /** The code and the sentence. */
  get reason(): Reason {
    return { code: this.problem.code, detail: this.problem.detail };
  }
}

/** An error that did not come from the server. */
export function localError(code: string, detail: string, status = 0, cause?: unknown): LastseenError {
  return new LastseenError({ type: 'about:blank', title: detail, status, detail, code }, { cause });
}

/** Any thrown thing as a {@link LastseenError}; what is none becomes `network`. */
export function asLastseenError(thrown: unknown): LastseenError {
  if (thrown instanceof LastseenError) return thrown;
  const detail = thrown instanceof Error ? thrown.message : String(thrown);
  return localError('network', detail, 0, thrown);
}

/** Reads a problem out of an answer's body; makes one up where the body is none. */
export function problemFrom(status: number, body: unknown): Problem {
  const seen = (typeof body === 'object' && body !== null ? body : {}) as Record<string, unknown>;
  const text = (key: string, otherwise: string) => (typeof seen[key] === 'string' ? seen[key] : otherwise);
  const title = text('title', `The server answered ${status}`);
  const problem = {
    type: text('type', 'about:blank'),
    title,
    status,
    detail: text('detail', title),
    code: text('code', `http_${status}`),
  };
  return typeof seen.field === 'string' ? { ...problem, field: seen.field } : problem;
}

/**
 * Whether a code says that the session as a whole is over, for each tab that holds it: it was ended, its refresh token
 * was used twice, or its account is barred.
 */
export function endsSession(code: string): boolean {
  return code === 'session_ended' || code === 'refresh_reused' || code.startsWith('account_');
}

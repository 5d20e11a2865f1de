// What can go wrong with a request, as errors that the page can tell apart.

import type { ProblemBody } from "./types";

/** The server's own answer that it can't or won't. */
export class Problem extends Error {
  readonly code: string;
  readonly status: number;
  readonly field: string | null;
  readonly retryAfter: number | null;

  constructor(body: ProblemBody, retryAfter: number | null = null) {
    super(body.detail);
    this.name = "Problem";
    this.code = body.code;
    this.status = body.status;
    this.field = body.field ?? null;
    this.retryAfter = retryAfter;
  }
}

/** No answer, or one that the server did not write, such as a proxy's. */
export class Unreachable extends Error {
  constructor(cause?: unknown) {
    super("the server can't be reached", { cause });
    this.name = "Unreachable";
  }
}

function isProblem(body: unknown): body is ProblemBody {
  return typeof body === "object" && body !== null && "code" in body && "detail" in body;
}

export function errorOf(response: Response, body: unknown): Problem | Unreachable {
  if (!isProblem(body)) return new Unreachable(new Error(`status ${response.status}`));
  const retryAfter = Number(response.headers.get("Retry-After"));
  return new Problem(body, retryAfter > 0 ? retryAfter : null);
}

interface Answer<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

/** The data of an answer, or an error thrown. */
export async function unwrap<T>(answer: Promise<Answer<T>>): Promise<T> {
  const { data, error, response } = await settled(answer);
  if (!response.ok) throw errorOf(response, error);
  return data as T;
}

/** An answer whatever its status; without one, `Unreachable`. */
export async function settled<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    if (error instanceof Problem || error instanceof Unreachable) throw error;
    throw new Unreachable(error);
  }
}

/** A sentence for a person. */
export function sentence(error: unknown, unreachable: string): string {
  if (!(error instanceof Problem)) return unreachable;
  const text = error.message.trim();
  const start = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(start) ? start : `${start}.`;
}

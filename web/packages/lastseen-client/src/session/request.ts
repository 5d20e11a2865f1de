/**
 * Resolves what is to be fetched against the server, and makes sure that it is the server.
 *
 * @throws TypeError for an address of another origin: a token is not for it.
 */
export function targetOf(input: string | URL | Request, baseUrl: string, href?: string): string | URL | Request {
  const target = typeof input === 'string' && input.startsWith('/') && !input.startsWith('//') ? baseUrl + input : input;
  const base = resolved(baseUrl, href);
  const to = resolved(target instanceof Request ? target.url : String(target), href);
  // Where it can't be resolved at all, fetch refuses it.
  if (to && to.origin !== base?.origin) {
    throw new TypeError(`an access token of ${base?.origin ?? 'this page'} is not sent to ${to.origin}`);
  }
  return target;
}

function resolved(address: string, href: string | undefined): URL | null {
  try {
    return new URL(address, href);
  } catch {
    return null;
  }
}

/** A request that can be sent again with another token, unless its body is a stream. */
export function replayable(
  target: string | URL | Request,
  init: RequestInit | undefined,
): { with: (token: string) => [string | URL | Request, RequestInit]; again: boolean } {
  const given = init?.headers ?? (target instanceof Request ? target.headers : undefined);
  return {
    again: !(typeof ReadableStream !== 'undefined' && init?.body instanceof ReadableStream),
    with: (token) => {
      const headers = new Headers(given);
      headers.set('Authorization', `Bearer ${token}`);
      // A clone each time: the body of a request can be read once.
      return [target instanceof Request ? target.clone() : target, { ...init, headers }];
    },
  };
}

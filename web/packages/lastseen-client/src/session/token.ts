/**
 * The session's id, out of an access token of the server's (`sid`); null for what is none. The token is not verified:
 * this is to tell sessions apart, never to trust one.
 */
export function sessionIdOf(accessToken: string): string | null {
  const sid = claimsOf(accessToken)?.sid;
  return typeof sid === 'number' || typeof sid === 'string' ? String(sid) : null;
}

/** When an access token expires and how long it lives, in milliseconds; null for what does not say so. */
export function expiryOf(accessToken: string): { readonly at: number; readonly lifeMs: number } | null {
  const { exp, iat } = claimsOf(accessToken) ?? {};
  if (typeof exp !== 'number' || typeof iat !== 'number' || exp <= iat) return null;
  return { at: exp * 1_000, lifeMs: (exp - iat) * 1_000 };
}

function claimsOf(accessToken: string): { sid?: unknown; exp?: unknown; iat?: unknown } | null {
  try {
    const payload = accessToken.split('.')[1] ?? '';
    return JSON.parse(atob(payload.replaceAll('-', '+').replaceAll('_', '/'))) as object | null;
  } catch {
    return null;
  }
}

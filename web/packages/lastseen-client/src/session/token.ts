/**
 * The session's id, out of an access token of the server's (`sid`); null for what is none. The token is not verified:
 * this is to tell sessions apart, never to trust one.
 */
export function sessionIdOf(accessToken: string): string | null {
  try {
    const payload = accessToken.split('.')[1] ?? '';
    const claims = JSON.parse(atob(payload.replaceAll('-', '+').replaceAll('_', '/'))) as { sid?: unknown };
    return typeof claims.sid === 'number' || typeof claims.sid === 'string' ? String(claims.sid) : null;
  } catch {
    return null;
  }
}

import { readFileSync } from 'node:fs';
import { Webhook } from 'standardwebhooks';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

interface Message {
  secrets: string[];
  headers: Record<string, string>;
  body: string;
}

// What the server's signer makes of these secrets: its own tests hold it to the same file.
const path = new URL('../../../../shared/tests/fixtures/webhook.json', import.meta.url);
const message = JSON.parse(readFileSync(path, 'utf8')) as Message;

describe('a webhook of the server', () => {
  beforeEach(() => vi.useFakeTimers({ now: Number(message.headers['webhook-timestamp']) * 1_000 }));
  afterEach(() => vi.useRealTimers());

  it.each(message.secrets)('is verified with a secret of a rotation: %s', (secret) => {
    const payload = new Webhook(secret).verify(message.body, message.headers);
    expect(payload).toMatchObject({ type: 'presence.online', data: { user_id: 7, emoji: '☕' } });
  });

  it('is refused when it was changed, is old, or is of another secret', () => {
    const [secret = ''] = message.secrets;
    const changed = message.body.replace('"user_id":7', '"user_id":8');
    expect(() => new Webhook(secret).verify(changed, message.headers)).toThrow();
    const other = `whsec_${Buffer.alloc(24).toString('base64')}`;
    expect(() => new Webhook(other).verify(message.body, message.headers)).toThrow();
    vi.advanceTimersByTime(3_600_000);
    expect(() => new Webhook(secret).verify(message.body, message.headers)).toThrow();
  });
});

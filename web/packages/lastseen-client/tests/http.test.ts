import { describe, expect, it } from 'vitest';
import { Emitter } from '../src/emitter.js';
import { retryAfterMs, trimmed } from '../src/http.js';
import { asLastseenError, endsSession, LastseenError, localError, problemFrom } from '../src/problem.js';

describe('a problem', () => {
  it('is read from a body', () => {
    const body = { type: 't', title: 'T', status: 422, detail: 'D', code: 'invalid_field', field: 'email', more: 1 };
    expect(problemFrom(422, body)).toEqual({
      type: 't',
      title: 'T',
      status: 422,
      detail: 'D',
      code: 'invalid_field',
      field: 'email',
    });
  });

  it.each([undefined, null, 'text', 7, [], {}, { code: 7, detail: {} }])('is made up for %j', (body) => {
    const title = 'The server answered 502';
    expect(problemFrom(502, body)).toEqual({ type: 'about:blank', title, status: 502, detail: title, code: 'http_502' });
  });

  it('is in every error', () => {
    const error = new LastseenError(problemFrom(404, { code: 'user_not_found', detail: 'No such user.' }));
    expect(error).toBeInstanceOf(Error);
    expect(error).toMatchObject({
      name: 'LastseenError',
      message: 'No such user.',
      code: 'user_not_found',
      status: 404,
      retryAfterMs: null,
    });
    expect(asLastseenError(error)).toBe(error);
    const cause = new TypeError('fetch failed');
    expect(asLastseenError(cause)).toMatchObject({ code: 'network', status: 0, message: 'fetch failed', cause });
    expect(asLastseenError('text').message).toBe('text');
    expect(localError('a', 'b')).not.toHaveProperty('cause');
  });

  it('may be the end of a session', () => {
    const codes = ['session_ended', 'refresh_reused', 'account_banned', 'token_invalid', 'token_expired', 'forbidden'];
    expect(codes.filter(endsSession)).toEqual(['session_ended', 'refresh_reused', 'account_banned']);
  });
});

it('Retry-After is seconds or a date', () => {
  const now = Date.parse('2026-01-01T12:00:00Z');
  const read = (header: string | null) => retryAfterMs(header, now);
  expect([null, '', '  ', 'soon'].map(read)).toEqual([null, null, null, null]);
  expect(['0', '2', '1.5', '-3', '9999'].map(read)).toEqual([0, 2_000, 1_500, 0, 300_000]);
  expect(read('Thu, 01 Jan 2026 12:00:07 GMT')).toBe(7_000);
  expect(read('Thu, 01 Jan 2026 11:00:00 GMT')).toBe(0);
});

it('a base address may end in slashes', () => {
  expect(['', '/', 'https://a.example', 'https://a.example//', 'https://a.example/b/'].map(trimmed)).toEqual([
    '',
    '',
    'https://a.example',
    'https://a.example',
    'https://a.example/b',
  ]);
});

it('a listener can be added twice, and taken off while it is told', () => {
  const emitter = new Emitter<{ tick: number }>();
  const seen: number[] = [];
  const listener = (tick: number) => void seen.push(tick);
  const offs = [emitter.on('tick', listener), emitter.on('tick', listener)];
  emitter.on('tick', () => offs.forEach((off) => off()));
  emitter.emit('tick', 1);
  emitter.emit('tick', 2);
  expect(seen).toEqual([1, 1]);
});

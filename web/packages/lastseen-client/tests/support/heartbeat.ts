import { afterEach, beforeEach, vi } from 'vitest';
import { HeartbeatClient } from '../../src/heartbeat/client.js';
import type { HeartbeatOptions } from '../../src/heartbeat/types.js';
import { FakeServer } from './server.js';

/** When each test begins. */
export const START = Date.parse('2026-01-01T12:00:00.000Z');

const started: HeartbeatClient[] = [];

/** Fake timers for each test of a file, and no client left over. */
export function useFakeTime(): void {
  beforeEach(() => {
    vi.useFakeTimers({ now: START });
  });
  afterEach(() => {
    for (const client of started.splice(0)) client.stop();
    vi.useRealTimers();
  });
}

/** A client of a fake server, with no chance in it: the whole interval, the whole backoff. Not started yet. */
export function heartbeat(options: Partial<HeartbeatOptions> = {}): { client: HeartbeatClient; server: FakeServer } {
  const server = new FakeServer();
  const client = new HeartbeatClient({
    baseUrl: 'https://presence.example',
    intervalSeconds: 30,
    getAccessToken: () => 'token-1',
    fetch: server.fetch,
    random: () => 1,
    logger: false,
    environment: {},
    ...options,
  });
  started.push(client);
  return { client, server };
}

/** Lets time pass. */
export async function pass(seconds: number): Promise<void> {
  await vi.advanceTimersByTimeAsync(seconds * 1_000);
}

/** The computer sleeps: the wall clock goes on, timers do not. */
export function sleep(seconds: number): void {
  vi.setSystemTime(Date.now() + seconds * 1_000);
}

/** Seconds since the test began. */
export function seconds(moments: number[]): number[] {
  return moments.map((ms) => Math.round(ms / 10) / 100);
}

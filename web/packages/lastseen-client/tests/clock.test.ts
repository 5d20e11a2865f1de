import { describe, expect, it, vi } from 'vitest';
import { detectEnvironment } from '../src/environment.js';
import { systemClock } from '../src/time/clock.js';
import { bestClock, WorkerClock } from '../src/time/worker-clock.js';
import { TIMER_WORKER_SOURCE } from '../src/time/worker-source.js';
import { Browser, FakeWorker } from './support/browser.js';
import { heartbeat, pass, seconds, START, useFakeTime } from './support/heartbeat.js';

useFakeTime();

function workerClock() {
  const worker = new FakeWorker();
  const clock = new WorkerClock(() => worker);
  return { worker, clock, ready: () => worker.onmessage?.({ data: 'ready' }) };
}

describe('a clock in a worker', () => {
  it('has the worker keep the timers', async () => {
    const { clock, worker, ready } = workerClock();
    ready();
    const due = vi.fn();
    clock.setTimeout(due, 1_000);
    expect(worker.timers.size).toBe(1);
    await pass(0.9);
    expect(due).not.toHaveBeenCalled();
    await pass(0.1);
    expect(due).toHaveBeenCalledTimes(1);
  });

  it('clears them', async () => {
    const { clock, worker, ready } = workerClock();
    ready();
    const due = vi.fn();
    clock.clearTimeout(clock.setTimeout(due, 1_000));
    clock.clearTimeout(undefined);
    expect(worker.timers.size).toBe(0);
    await pass(2);
    expect(due).not.toHaveBeenCalled();
  });

  it('hears no timer twice that was cleared while it was due', () => {
    const { clock, worker, ready } = workerClock();
    ready();
    const due = vi.fn();
    const handle = clock.setTimeout(due, 1_000);
    clock.clearTimeout(handle);
    worker.onmessage?.({ data: handle });
    expect(due).not.toHaveBeenCalled();
  });

  it('keeps them itself until the worker runs, and hands them over then', async () => {
    const { clock, worker, ready } = workerClock();
    const [early, late] = [vi.fn(), vi.fn()];
    clock.setTimeout(early, 1_000);
    clock.setTimeout(late, 3_000);
    await pass(1);
    expect(early).toHaveBeenCalledTimes(1);
    ready();
    expect(clock.inWorker).toBe(true);
    expect(worker.timers.size).toBe(1);
    await pass(2);
    expect(late).toHaveBeenCalledTimes(1);
    await pass(60);
    expect([early, late].map((one) => one.mock.calls.length)).toEqual([1, 1]);
  });

  it('takes them back where the worker fails', async () => {
    const { clock, worker, ready } = workerClock();
    ready();
    const due = vi.fn();
    clock.setTimeout(due, 3_000);
    await pass(1);
    worker.onerror?.(new Error('blocked'));
    expect(worker.terminated).toBe(true);
    expect(clock.inWorker).toBe(false);
    await pass(2);
    expect(due).toHaveBeenCalledTimes(1);
  });

  it('does without where there can be no worker', async () => {
    const clock = new WorkerClock(() => {
      throw new DOMException('no', 'SecurityError');
    });
    const due = vi.fn();
    clock.setTimeout(due, 1_000);
    await pass(1);
    expect(due).toHaveBeenCalledTimes(1);
  });
});

describe('the clock for an environment', () => {
  it('is a worker out of a Blob, or from an address', () => {
    const startWorker = vi.fn(() => new FakeWorker());
    expect(bestClock({ startWorker })).toBeInstanceOf(WorkerClock);
    bestClock({ startWorker }, '/timer-worker.js');
    expect(startWorker.mock.calls).toEqual([[{ source: TIMER_WORKER_SOURCE }], [{ url: '/timer-worker.js' }]]);
  });

  it("is the platform's where there are no workers, or none is wanted", () => {
    expect(bestClock({})).toBe(systemClock);
    expect(bestClock({ startWorker: () => new FakeWorker() }, false)).toBe(systemClock);
    expect(bestClock(detectEnvironment())).toBe(systemClock);
  });
});

describe("the worker's script", () => {
  it('keeps timers', async () => {
    const said: unknown[] = [];
    const self: { onmessage?: (event: { data: unknown }) => void; postMessage: (message: unknown) => void } = {
      postMessage: (message) => said.push(message),
    };
    // eslint-disable-next-line @typescript-eslint/no-implied-eval, @typescript-eslint/no-unsafe-call -- as a browser does
    new Function('self', TIMER_WORKER_SOURCE)(self);
    self.onmessage?.({ data: [1, 1_000] });
    self.onmessage?.({ data: [2, 1_000] });
    self.onmessage?.({ data: [2, null] });
    self.onmessage?.({ data: [3, 500] });
    await pass(1);
    expect(said).toEqual(['ready', 3, 1]);
    expect(vi.getTimerCount()).toBe(0);
  });
});

it('a heartbeat in a page uses a worker, and ends it', async () => {
  const worker = new FakeWorker();
  const environment = { ...new Browser().tab().environment, startWorker: () => worker };
  const { client, server } = heartbeat({ environment, sessionId: 1 });
  client.start();
  worker.onmessage?.({ data: 'ready' });
  await pass(0);
  expect(worker.timers.size).toBeGreaterThan(0);
  await pass(30);
  expect(seconds(server.times(START))).toEqual([0, 30]);
  client.stop();
  expect(worker.terminated).toBe(true);
  expect(vi.getTimerCount()).toBe(0);
});

it('a clock that is given is used, and not disposed of', async () => {
  const clock = { ...systemClock, setTimeout: vi.fn(systemClock.setTimeout.bind(systemClock)), dispose: vi.fn() };
  const { client, server } = heartbeat({ clock });
  client.start();
  await pass(30);
  client.stop();
  expect(server.got).toHaveLength(2);
  expect(clock.setTimeout.mock.calls.length).toBeGreaterThan(6);
  expect(clock.dispose).not.toHaveBeenCalled();
});

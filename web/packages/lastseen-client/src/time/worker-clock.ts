import type { Environment, WorkerLike } from '../environment.js';
import { type Clock, systemClock, type TimerHandle } from './clock.js';
import { TIMER_WORKER_SOURCE } from './worker-source.js';

interface Pending {
  readonly callback: () => void;
  readonly due: number;
  local: TimerHandle;
}

/**
 * A clock whose timers run in a worker, where browsers do not throttle them when the tab is in the background. Until
 * the worker has said that it runs, and if it fails, timers run here: a worker that a content security policy forbids
 * costs nothing but the throttling.
 */
export class WorkerClock implements Clock {
  readonly #pending = new Map<number, Pending>();
  #worker: WorkerLike | null = null;
  #ready = false;
  #lastId = 0;

  /** Starts the worker by `start`, which may throw. */
  constructor(start: () => WorkerLike) {
    try {
      const worker = start();
      this.#worker = worker;
      worker.onmessage = ({ data }) => (data === 'ready' ? this.#moveIn() : this.#fire(data as number));
      worker.onerror = () => this.dispose();
    } catch {
      // No worker here: timers run on this side.
    }
  }

  /** Whether timers run in the worker. */
  get inWorker(): boolean {
    return this.#ready;
  }

  now(): number {
    return systemClock.now();
  }

  setTimeout(callback: () => void, ms: number): TimerHandle {
    const id = ++this.#lastId;
    this.#pending.set(id, { callback, due: this.now() + ms, local: undefined });
    this.#arm(id, ms);
    return id;
  }

  clearTimeout(handle: TimerHandle): void {
    const id = handle as number;
    const pending = this.#pending.get(id);
    if (!pending) return;
    this.#pending.delete(id);
    systemClock.clearTimeout(pending.local);
    if (this.#ready) this.#worker?.postMessage([id, null]);
  }

  /** Ends the worker. Timers that are still set run on this side. */
  dispose(): void {
    this.#ready = false;
    this.#worker?.terminate();
    this.#worker = null;
    this.#armAll();
  }

  #moveIn(): void {
    if (!this.#worker) return;
    this.#ready = true;
    this.#armAll();
  }

  #armAll(): void {
    for (const [id, { due }] of this.#pending) this.#arm(id, Math.max(0, due - this.now()));
  }

  #arm(id: number, ms: number): void {
    const pending = this.#pending.get(id);
    if (!pending) return;
    systemClock.clearTimeout(pending.local);
    pending.local = undefined;
    if (this.#ready) this.#worker?.postMessage([id, ms]);
    else pending.local = systemClock.setTimeout(() => this.#fire(id), ms);
  }

  #fire(id: number): void {
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    pending?.callback();
  }
}

/**
 * The best clock for an environment: a worker's in a page, else the platform's. `script` is the address of
 * `timer-worker.js`, for pages whose policy allows no `blob:`; false for no worker.
 */
export function bestClock(environment: Environment, script?: string | URL | false): Clock {
  const { startWorker } = environment;
  if (!startWorker || script === false) return systemClock;
  return new WorkerClock(() => startWorker(script === undefined ? { source: TIMER_WORKER_SOURCE } : { url: script }));
}

import type { ChannelLike, Environment, LocksLike } from '../environment.js';
import type { HeartbeatState } from './types.js';

/** What tabs tell each other of the heartbeats that one sends for all. */
export interface Told extends Pick<HeartbeatState, 'status' | 'lastBeat' | 'onlineUntil' | 'reason'> {
  /** When the next heartbeat is due, in milliseconds since 1970. */
  readonly nextAt: number;
  /** How many have failed in a row. */
  readonly failures: number;
  /** What the server was told last of idleness; null where nothing. */
  readonly idle?: number | null;
}

/**
 * Messages between tabs. `hello` and `bye` are a follower's; `lead` a new leader's, answered with `hello`; `nudge` asks
 * the leader for a heartbeat now; `told` goes from whoever sends to all.
 */
type Message =
  | { readonly kind: 'hello' | 'bye' | 'lead' | 'nudge'; readonly from: string }
  | { readonly kind: 'told'; readonly from: string; readonly told: Told };

/** What comes of an election. */
export interface ElectionHandlers {
  /** This tab leads from now on. */
  readonly onLead: () => void;
  /** Another tab leads. */
  readonly onFollow: () => void;
  /** Another tab has sent a heartbeat, or has tried to. */
  readonly onTold: (told: Told) => void;
  /** A follower wants a heartbeat now. Leader only. */
  readonly onNudge: () => void;
  /** A follower has come and wants to know. Leader only. */
  readonly onHello: () => void;
}

/** One tab's part in choosing the one that sends: whoever holds a Web Lock. It passes on by itself when a tab closes. */
export class Election {
  readonly #locks: LocksLike;
  readonly #channel: ChannelLike;
  readonly #name: string;
  readonly #handlers: ElectionHandlers;
  readonly #id = `${Date.now().toString(36)}-${Math.random().toString(36).slice(2)}`;
  readonly #followers = new Set<string>();
  readonly #waiting = new AbortController();
  #release: () => void = () => undefined;
  #leads = false;
  #over = false;

  private constructor(locks: LocksLike, channel: ChannelLike, name: string, handlers: ElectionHandlers) {
    this.#locks = locks;
    this.#channel = channel;
    this.#name = name;
    this.#handlers = handlers;
    channel.onmessage = ({ data }) => this.#hear(data as Message);
    void this.#stand();
  }

  /** Takes part under a name; null where the environment can't hold elections. */
  static start({ locks, openChannel }: Environment, name: string, handlers: ElectionHandlers): Election | null {
    if (!locks || !openChannel) return null;
    return new Election(locks, openChannel(name), name, handlers);
  }

  /** Whether other tabs would take over from this one, as far as is known. */
  get hasFollowers(): boolean {
    return this.#followers.size > 0;
  }

  /** Tells all other tabs. */
  tell(told: Told): void {
    this.#say({ kind: 'told', from: this.#id, told });
  }

  /** Asks the leader for a heartbeat now. */
  nudge(): void {
    this.#say({ kind: 'nudge', from: this.#id });
  }

  /** Takes no part any more. Another tab leads then, if there is one. */
  stop(): void {
    if (this.#over) return;
    this.#say({ kind: 'bye', from: this.#id });
    this.#over = true;
    this.#channel.onmessage = null;
    this.#channel.close();
    this.#waiting.abort();
    this.#release();
  }

  async #stand(): Promise<void> {
    try {
      const led = await this.#locks.request(this.#name, { ifAvailable: true }, (lock) => this.#hold(lock));
      if (led || this.#over) return;
      this.#handlers.onFollow();
      this.#say({ kind: 'hello', from: this.#id });
      await this.#locks.request(this.#name, { signal: this.#waiting.signal }, (lock) => this.#hold(lock));
    } catch {
      // Locks are not to be had here, as in a page of an opaque origin; or this tab no longer wants one.
      if (!this.#over) void this.#hold({});
    }
  }

  /** Leads while the promise is pending; answers whether it did. */
  async #hold(lock: unknown): Promise<boolean> {
    if (lock === null || this.#over) return false;
    const released = new Promise<void>((resolve) => {
      this.#release = resolve;
    });
    this.#leads = true;
    this.#say({ kind: 'lead', from: this.#id });
    this.#handlers.onLead();
    await released;
    return true;
  }

  #say(message: Message): void {
    if (!this.#over) this.#channel.postMessage(message);
  }

  #hear(message: Message): void {
    switch (message.kind) {
      case 'told':
        this.#handlers.onTold(message.told);
        break;
      case 'lead':
        if (!this.#leads) this.#say({ kind: 'hello', from: this.#id });
        break;
      case 'bye':
        this.#followers.delete(message.from);
        break;
      case 'hello':
        if (!this.#leads) break;
        this.#followers.add(message.from);
        this.#handlers.onHello();
        break;
      case 'nudge':
        if (this.#leads) this.#handlers.onNudge();
        break;
    }
  }
}

import { asLastseenError, type LastseenError } from '../problem.js';
import type { Clock, TimerHandle } from '../time/clock.js';
import {
  type LiveNotification,
  type Presence,
  presenceFrom,
  presencesFrom,
  type TransitionFrame,
} from './frames.js';
import { chunks, type Subscriptions } from './subscriptions.js';
import type { Requests } from './requests.js';

/** What a round of asking needs of the connection that it stands in for. */
export interface PollingHost {
  readonly requests: Requests;
  readonly subscriptions: Subscriptions;
  readonly clock: Clock;
  readonly random: () => number;
  readonly intervalMs: number;
  readonly onSnapshot: (presences: readonly Presence[], everybody: boolean) => void;
  readonly onTransition: (transition: Pick<TransitionFrame, 'presence' | 'at'>) => void;
  readonly onNotification: (notification: LiveNotification) => void;
  readonly onContacts: () => void;
  /** A round is done: with an error where something was not answered. */
  readonly onRound: (error: LastseenError | null) => void;
}

interface ContactLike {
  readonly user_id: number;
  readonly state: string;
  readonly presence?: unknown;
}

interface ChangesAnswer {
  readonly transitions?: readonly { readonly at?: string; readonly presence?: unknown }[];
  readonly next_cursor: string;
}

interface UsersAnswer {
  readonly users?: readonly { readonly id: number }[];
  readonly next_cursor?: string | null;
}

const MOST_ROUNDS = 50;

/** Asks every few seconds for what the WebSocket would have told. */
export class Polling {
  readonly #host: PollingHost;
  readonly #abort = new AbortController();
  #timer: TimerHandle = undefined;
  #busy = false;
  #again = false;
  #contactsSeen: string | null = null;
  #contactIds = new Set<number>();
  #notified: Set<number> | null = null;

  /** Begins at once. */
  constructor(host: PollingHost) {
    this.#host = host;
    void this.#round();
  }

  /** Asks now: something else is wanted. */
  wake(): void {
    if (this.#busy) this.#again = true;
    else if (!this.#ended()) void this.#round();
  }

  /** Ends it. */
  stop(): void {
    this.#abort.abort();
    this.#host.clock.clearTimeout(this.#timer);
  }

  /** Asked anew after each answer: it may have ended in the meantime. */
  #ended(): boolean {
    return this.#abort.signal.aborted;
  }

  async #round(): Promise<void> {
    const { clock, intervalMs, onRound, random } = this.#host;
    clock.clearTimeout(this.#timer);
    this.#busy = true;
    let failed: LastseenError | null = null;
    try {
      await this.#changes();
      await this.#news();
    } catch (thrown) {
      failed = asLastseenError(thrown);
    }
    this.#busy = false;
    if (this.#ended()) return;
    const wait = intervalMs * (0.9 + 0.1 * random());
    this.#timer = clock.setTimeout(() => void this.#round(), Math.max(wait, failed?.retryAfterMs ?? 0));
    onRound(failed);
    const again = this.#again && !failed && this.#host.subscriptions.missing !== null && !this.#ended();
    this.#again = false;
    if (!again) return;
    void this.#round();
  }

  async #changes(): Promise<void> {
    const { subscriptions } = this.#host;
    const { beginnings, cursor } = subscriptions;
    try {
      for (const since of beginnings) {
        await this.#since(since);
        subscriptions.begin(since);
      }
      if (cursor !== null && !beginnings.includes(cursor)) await this.#since(cursor);
    } catch (thrown) {
      const { code } = asLastseenError(thrown);
      if (code !== 'cursor_expired' && code !== 'invalid_cursor') throw thrown;
      subscriptions.forget();
    }
    await this.#missing();
  }

  /** Everything that changed since a cursor. */
  async #since(since: string): Promise<void> {
    const { subscriptions, onTransition } = this.#host;
    for (let [cursor, round] = [since, 0]; round < MOST_ROUNDS; round += 1) {
      const path = `/api/users/presence/changes/?since=${encodeURIComponent(cursor)}`;
      const { transitions, next_cursor: next } = (await this.#get(path)) as ChangesAnswer;
      if (this.#ended()) return;
      for (const { at = '', presence: seen } of transitions ?? []) {
        const presence = presenceFrom(seen);
        const wanted = presence && (subscriptions.names(presence.user_id) || this.#contactIds.has(presence.user_id));
        if (wanted) onTransition({ at, presence });
      }
      subscriptions.at(next);
      if (next === cursor) return;
      cursor = next;
    }
  }

  /** How that stands of which nothing is known. A first cursor is taken before, so that nothing is missed in between. */
  async #missing(): Promise<void> {
    const { subscriptions, onSnapshot } = this.#host;
    if (subscriptions.cursor === null) subscriptions.forget();
    const { missing } = subscriptions;
    if (!missing || this.#ended()) return;
    const { users = [], contacts, all } = missing;
    if (subscriptions.cursor === null) {
      const { next_cursor: cursor } = (await this.#get('/api/users/presence/changes/')) as ChangesAnswer;
      subscriptions.at(cursor);
    }
    const presences: Presence[] = [];
    for (const ids of chunks(users)) presences.push(...presencesIn(await this.#post('/api/users/presence/', { ids })));
    if (contacts) presences.push(...presencesFrom((await this.#contacts()).map(({ presence }) => presence)));
    if (all) presences.push(...(await this.#everybody()));
    if (this.#ended()) return;
    subscriptions.learnt(missing);
    onSnapshot(presences, all === true);
  }

  async #everybody(): Promise<Presence[]> {
    const presences: Presence[] = [];
    for (let cursor: string | null = ''; cursor !== null;) {
      const more = cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`;
      const page = (await this.#get(`/api/users/all-users/?limit=1000${more}`)) as UsersAnswer;
      presences.push(...presencesFrom((page.users ?? []).map((user) => ({ ...user, user_id: user.id }))));
      cursor = page.next_cursor ?? null;
    }
    return presences;
  }

  /** What belongs to contacts: the list itself, and notifications. */
  async #news(): Promise<void> {
    const { subscriptions, onContacts, onNotification, onSnapshot } = this.#host;
    if (!subscriptions.contacts || this.#ended()) return;
    const before = this.#contactIds;
    const contacts = await this.#contacts();
    if (this.#ended()) return;
    const list = JSON.stringify(contacts.map(({ user_id, state }) => [user_id, state]));
    if (this.#contactsSeen !== null && this.#contactsSeen !== list) onContacts();
    this.#contactsSeen = list;
    const fresh = contacts.filter(({ user_id }) => !before.has(user_id));
    if (fresh.length > 0) onSnapshot(presencesFrom(fresh.map(({ presence }) => presence)), false);
    const { notifications = [] } = (await this.#get('/api/notifications/?unread=true&limit=50')) as {
      notifications?: readonly LiveNotification[];
    };
    if (this.#ended()) return;
    // Those that were there before are no news.
    const known = this.#notified ?? new Set(notifications.map(({ id }) => id));
    this.#notified = known;
    for (const notification of [...notifications].reverse()) {
      if (known.has(notification.id)) continue;
      known.add(notification.id);
      onNotification(notification);
    }
  }

  async #contacts(): Promise<readonly ContactLike[]> {
    const { contacts } = (await this.#get('/api/contacts/')) as { contacts?: readonly ContactLike[] };
    this.#contactIds = new Set(contacts?.map(({ user_id }) => user_id));
    return contacts ?? [];
  }

  #get(path: string): Promise<unknown> {
    return this.#host.requests.send('GET', path, undefined, this.#abort.signal);
  }

  #post(path: string, body: unknown): Promise<unknown> {
    return this.#host.requests.send('POST', path, body, this.#abort.signal);
  }
}

function presencesIn(body: unknown): Presence[] {
  return presencesFrom((body as { presences?: unknown } | null)?.presences);
}

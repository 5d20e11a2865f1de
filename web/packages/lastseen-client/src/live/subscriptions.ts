import type { ClientFrame, Subscription, Presence } from './frames.js';

/** The server takes no more ids in one go. */
const MOST_IDS = 1_000;

/** One subscribe frame that was sent. */
interface Asked {
  readonly order: number;
  readonly subscription: Subscription;
}

/**
 * What is subscribed to, what the server has been told of it, and from where it goes on after a break. Counts: what was
 * subscribed to twice stays until it was unsubscribed from twice.
 */
export class Subscriptions {
  readonly #wanted = new Map<number, number>();
  #contacts = 0;
  #all = 0;
  /** What the server has been told over this WebSocket. */
  #told = nothing();
  /** Of what a snapshot has come, or was had by other means: this goes on by cursor. */
  #known = nothing();
  /** Frames whose snapshot has not come. */
  #awaited: Asked[] = [];
  /** Frames with a cursor of which not all that was missed has been told. The server may find the cursor expired. */
  #resumed: Asked[] = [];
  /** Subscriptions that begin at a cursor of their own, until that has been served. */
  #begun: { readonly subscription: Subscription; readonly since: string }[] = [];
  #order = 0;
  /** From where all that is known goes on. */
  #cursor: string | null = null;
  /** Where the first of several resumed subscriptions had caught up. */
  #caughtUp: string | null = null;
  /** Whether something else than subscriptions that were resumed together is told of over this WebSocket. */
  #mixed = false;

  /** The users asked for one by one. */
  get users(): number[] {
    return [...this.#wanted.keys()];
  }

  /** Whether contacts are wanted. */
  get contacts(): boolean {
    return this.#contacts > 0;
  }

  /** Whether everybody is wanted. */
  get all(): boolean {
    return this.#all > 0;
  }

  /** Whether a user may be meant by something that is wanted. */
  covers(userId: number): boolean {
    return this.contacts || this.names(userId);
  }

  /** Whether a user is meant by its id, or everybody is. */
  names(userId: number): boolean {
    return this.all || this.#wanted.has(userId);
  }

  /** Whether what was missed is being told: then transitions may be told again. */
  get resuming(): boolean {
    return this.#resumed.length > 0;
  }

  /** From where to go on; null where that is not known. */
  get cursor(): string | null {
    return this.#cursor;
  }

  /** Wants something. With a cursor, it is known as of then, and begins without a snapshot. */
  add(subscription: Subscription, since?: string): void {
    const { users = [], contacts, all } = subscription;
    const unknown = !this.#knows(subscription);
    for (const id of users) this.#wanted.set(id, (this.#wanted.get(id) ?? 0) + 1);
    if (contacts) this.#contacts += 1;
    if (all) this.#all += 1;
    if (since === undefined || !unknown) return;
    this.#begun.push({ subscription, since });
    this.#cursor ??= since;
    this.#mark(this.#known, subscription);
  }

  /** Wants something no more. */
  remove({ users = [], contacts, all }: Subscription): void {
    for (const id of users) {
      const count = (this.#wanted.get(id) ?? 0) - 1;
      if (count > 0) this.#wanted.set(id, count);
      else this.#wanted.delete(id);
    }
    if (contacts) this.#contacts = Math.max(0, this.#contacts - 1);
    if (all) this.#all = Math.max(0, this.#all - 1);
    // Wanted again, it begins anew: what happens in between is not told.
    this.#begun = this.#begun.filter(({ subscription }) => this.#wants(subscription));
    this.#drop(this.#known, users.filter((id) => !this.#wanted.has(id)));
  }

  /** The WebSocket is gone: a new one knows nothing. */
  reset(): void {
    this.#told = nothing();
    this.#awaited = [];
    this.#resumed = [];
    this.#caughtUp = null;
    this.#mixed = false;
    this.#order = 0;
  }

  /** The frames that bring the server from what it was told to what is wanted. */
  frames(): ClientFrame[] {
    const frames: ClientFrame[] = [];
    const [told, since] = [this.#told, this.cursor];
    const gone = [...told.users].filter((id) => !this.#wanted.has(id));
    for (const users of chunks(gone)) frames.push({ type: 'unsubscribe', users });
    if (told.contacts && !this.contacts) frames.push({ type: 'unsubscribe', contacts: true });
    if (told.all && !this.all) frames.push({ type: 'unsubscribe', all: true });
    this.#drop(told, gone);

    const [fresh, known] = [this.users.filter((id) => !told.users.has(id)), this.#known];
    const begun = new Map(fresh.map((id) => [id, this.#beginning({ users: [id] })]));
    const group = (since: string | undefined, among: (id: number) => boolean) =>
      chunks(fresh.filter((id) => begun.get(id) === since && among(id))).map((users) => ({ users }));
    const subscriptions: Subscription[] = [
      ...[...new Set(begun.values())].flatMap((start) => (start === undefined ? [] : group(start, () => true))),
      ...group(undefined, (id) => known.users.has(id)),
      ...group(undefined, (id) => !known.users.has(id)),
    ];
    if (this.contacts && !told.contacts) subscriptions.push({ contacts: true });
    if (this.all && !told.all) subscriptions.push({ all: true });
    if (this.#order > 0 && subscriptions.length > 0) this.#mixed = true;
    for (const subscription of subscriptions) {
      const start = this.#beginning(subscription) ?? (this.#knows(subscription) ? since : null);
      const asked = { order: ++this.#order, subscription };
      (start === null ? this.#awaited : this.#resumed).push(asked);
      if (start === null) this.#mixed = true;
      frames.push({ type: 'subscribe', ...subscription, ...(start !== null && { since: start }) });
      this.#mark(told, subscription);
    }
    return frames;
  }

  /** A snapshot has come to its end. Answers what it was asked for by, where that is known. */
  snapshot(presences: readonly Presence[], cursor: string): Subscription | null {
    const asked = this.#awaited.find(({ subscription: { users } }) => {
      if (!users) return true;
      const ids = new Set(users);
      return presences.every(({ user_id }) => ids.has(user_id));
    });
    if (asked) {
      this.#awaited = this.#awaited.filter((other) => other !== asked);
      this.#mark(this.#known, asked.subscription);
    }
    this.at(cursor);
    return asked?.subscription ?? null;
  }

  /**
   * Everything has come up to here; but while what was missed is being told for one subscription, later things may have
   * been told for another.
   */
  at(cursor: string): void {
    if (!this.resuming) this.#cursor = cursor;
  }

  /**
   * All that was missed has been told for the oldest of the subscriptions that were resumed. Of those that were resumed
   * together, all have come up to where the first had. What else is told of may not be as far: there, the next frame
   * says where to go on.
   */
  caughtUp(cursor: string): void {
    this.#resumed.shift();
    this.#caughtUp ??= cursor;
    if (this.resuming) return;
    this.#begun = [];
    if (!this.#mixed) this.#cursor = this.#caughtUp;
    this.#caughtUp = null;
  }

  /** The server does not know the cursor any more, and sends a snapshot instead. */
  expired(): void {
    const first = this.#resumed.shift();
    this.#cursor = null;
    if (!first) return;
    this.#mixed = true;
    this.#awaited = [...this.#awaited, first].sort((one, other) => one.order - other.order);
    this.#begun = [];
    if (first.subscription.contacts) this.#known.contacts = false;
    if (first.subscription.all) this.#known.all = false;
    for (const id of first.subscription.users ?? []) this.#known.users.delete(id);
  }

  /** Nothing is known any more, and from where to go on neither. */
  forget(): void {
    this.#cursor = null;
    this.#known = nothing();
    this.#begun = [];
  }

  /** Something was asked for by other means than a WebSocket. It may be wanted no more. */
  learnt({ users = [], contacts, all }: Subscription): void {
    const wanted = users.filter((id) => this.#wanted.has(id));
    const [c, a] = [contacts === true && this.contacts, all === true && this.all];
    this.#mark(this.#known, { users: wanted, ...(c && { contacts: c }), ...(a && { all: a }) });
  }

  /** What is wanted, but not known; null where there is nothing. */
  get missing(): Subscription | null {
    const known = this.#known;
    const users = this.users.filter((id) => !known.users.has(id));
    const [contacts, all] = [this.contacts && !known.contacts, this.all && !known.all];
    if (users.length === 0 && !contacts && !all) return null;
    return { users, ...(contacts && { contacts }), ...(all && { all }) };
  }

  /** The cursors at which something begins, besides the one for all that goes on. */
  get beginnings(): string[] {
    return [...new Set(this.#begun.map(({ since }) => since))];
  }

  /** Those were served. */
  begin(since: string): void {
    this.#begun = this.#begun.filter((begun) => begun.since !== since);
  }

  /** The cursor of its own that something begins at. */
  #beginning({ users: [id] = [], contacts, all }: Subscription): string | undefined {
    return this.#begun.find(({ subscription }) => {
      if (contacts) return subscription.contacts;
      return all ? subscription.all : id !== undefined && subscription.users?.includes(id);
    })?.since;
  }

  #wants({ users, contacts, all }: Subscription): boolean {
    if ((contacts && !this.contacts) || (all && !this.all)) return false;
    return (users ?? []).every((id) => this.#wanted.has(id));
  }

  #knows({ users, contacts, all }: Subscription): boolean {
    const known = this.#known;
    if (contacts) return known.contacts;
    if (all) return known.all;
    return (users ?? []).every((id) => known.users.has(id));
  }

  #mark(state: Told, { users, contacts, all }: Subscription): void {
    for (const id of users ?? []) state.users.add(id);
    if (contacts) state.contacts = true;
    if (all) state.all = true;
  }

  #drop(state: Told, users: readonly number[]): void {
    for (const id of users) state.users.delete(id);
    if (!this.contacts) state.contacts = false;
    if (!this.all) state.all = false;
  }
}

interface Told {
  users: Set<number>;
  contacts: boolean;
  all: boolean;
}

const nothing = (): Told => ({ users: new Set(), contacts: false, all: false });

/** A list in parts that the server takes. */
export function chunks(ids: readonly number[]): number[][] {
  const parts: number[][] = [];
  for (let at = 0; at < ids.length; at += MOST_IDS) parts.push(ids.slice(at, at + MOST_IDS));
  return parts;
}

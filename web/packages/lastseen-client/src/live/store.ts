import type { Presence, TransitionFrame } from './frames.js';
import type { PresenceChange } from './types.js';

interface Entry {
  readonly presence: Presence;
  /** The moment that it tells of; what is told again is known by it. */
  readonly at: number;
}

/** What is known of users. Nobody goes offline here by the time passing: the server tells of that. */
export class PresenceStore {
  readonly #entries = new Map<number, Entry>();
  readonly #presences = new Map<number, Presence>();

  /** All that is known, by user id. Read only. */
  get presences(): ReadonlyMap<number, Presence> {
    return this.#presences;
  }

  /** Takes a snapshot's part, and answers the changes to what was known. */
  replace(presences: readonly Presence[]): PresenceChange[] {
    const changes: PresenceChange[] = [];
    for (const presence of presences) {
      const previous = this.#presences.get(presence.user_id);
      // A change that came before the last sign of life is older than this.
      this.#set(presence, Date.parse(presence.last_seen ?? '') || 0);
      if (previous && !same(previous, presence)) changes.push({ presence, previous, at: null });
    }
    return changes;
  }

  /**
   * Takes a transition. Null where it is known already: after a resumption (`again`) the server may tell of what was
   * told before, and of a user's transitions each is later than the one before it.
   */
  apply({ presence, at }: Pick<TransitionFrame, 'presence' | 'at'>, again: boolean): PresenceChange | null {
    const before = this.#entries.get(presence.user_id);
    const moment = Date.parse(at) || 0;
    if (again && before) {
      const known = moment < before.at || (moment === before.at && same(before.presence, presence));
      if (known) return null;
    }
    this.#set(presence, moment);
    return { presence, previous: before?.presence ?? null, at };
  }

  /** Forgets all users but these. */
  retain(wanted: (userId: number) => boolean): void {
    for (const id of [...this.#entries.keys()]) {
      if (wanted(id)) continue;
      this.#entries.delete(id);
      this.#presences.delete(id);
    }
  }

  #set(presence: Presence, at: number): void {
    this.#entries.set(presence.user_id, { presence, at });
    this.#presences.set(presence.user_id, presence);
  }
}

/** Whether two presences show the same. The moments of somebody who is online move on all the time. */
function same(one: Presence, other: Presence): boolean {
  return (
    one.online_status === other.online_status &&
    one.availability === other.availability &&
    one.text === other.text &&
    one.emoji === other.emoji &&
    one.reason === other.reason &&
    (one.online_status === 'online' || one.last_seen === other.last_seen)
  );
}

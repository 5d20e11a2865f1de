// What has been heard of users, and when. Drawn anew some times a second at most, however much is heard.

import type { PresenceShape } from "../api/types";
import type { Live } from "../session/port";

const DRAW_MS = 100;

export interface Heard {
  presence: PresenceShape;
  /** When it was heard, by this machine's clock: answers that were asked for later are younger. */
  at: number;
}

export class HeardStore {
  private readonly heard = new Map<number, Heard>();
  private readonly listeners = new Set<() => void>();
  private readonly offs: (() => void)[];
  private timer: ReturnType<typeof setTimeout> | undefined;
  private drawn = 0;

  constructor(live: Pick<Live, "on">) {
    this.offs = [
      live.on("presence", ({ presence }) => this.hear([presence])),
      live.on("snapshot", ({ presences }) => this.hear(presences)),
    ];
  }

  get = (id: number): Heard | undefined => this.heard.get(id);

  /** Another number each time that something is to be drawn. */
  version = () => this.drawn;

  subscribe = (listener: () => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  close() {
    clearTimeout(this.timer);
    this.timer = undefined;
    for (const off of this.offs) off();
  }

  private hear(presences: readonly PresenceShape[]) {
    const at = Date.now();
    for (const presence of presences) this.heard.set(presence.user_id, { presence, at });
    this.timer ??= setTimeout(() => {
      this.timer = undefined;
      this.drawn += 1;
      for (const each of this.listeners) each();
    }, DRAW_MS);
  }
}

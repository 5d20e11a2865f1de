import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Contact, PresenceShape } from "../src/api/types";
import { endOf, localField } from "../src/features/availability/ends";
import { contactsOverlaid, inState } from "../src/features/contacts/order";
import { markOf } from "../src/lib/presence";
import { throttled } from "../src/lib/throttle";
import { overlaid, overlaidPages, still } from "../src/live/overlay";
import { HeardStore, type Heard } from "../src/live/store";
import { user } from "./people";

function presence(user_id: number, part: Partial<PresenceShape> = {}): PresenceShape {
  return {
    user_id,
    online_status: "online",
    availability: "available",
    text: null,
    emoji: null,
    last_seen: "2026-01-01T12:00:00.000Z",
    online_until: null,
    reason: "login",
    ...part,
  };
}

const heard = (at: number, ...presences: PresenceShape[]) => {
  const all = new Map<number, Heard>(presences.map((each) => [each.user_id, { presence: each, at }]));
  return (id: number) => all.get(id);
};

describe("overlaid", () => {
  it("believes what was heard after the answer was asked for", () => {
    const look = heard(20, presence(1, { availability: "dnd", text: "busy", emoji: "📅" }));
    expect(overlaid(user(1), 10, look)).toMatchObject({
      username: "person1",
      online_status: "online",
      availability: "dnd",
      text: "busy",
      emoji: "📅",
      reason: "login",
      last_seen: "2026-01-01T12:00:00.000Z",
    });
  });

  it("believes an answer that was asked for after that", () => {
    const ann = user(1);
    expect(overlaid(ann, 21, heard(20, presence(1)))).toBe(ann);
  });

  it("gives the same object for the same knowledge, so that nothing is drawn again", () => {
    const [ann, look] = [user(1), heard(20, presence(1))];
    expect(overlaid(ann, 10, look)).toBe(overlaid(ann, 10, look));
    expect(overlaid(ann, 10, heard(21, presence(1)))).not.toBe(overlaid(ann, 10, look));
    const pages = [{ users: [ann], askedAt: 10 }, { users: [user(2)], askedAt: 10 }];
    const over = overlaidPages(pages, look);
    expect(over[0]).not.toBe(pages[0]);
    expect(over[1]).toBe(pages[1]);
  });

  it("keeps what the presence does not say", () => {
    const ann = user(1, { last_seen: "2025-12-31T12:00:00.000Z", reason: "logout" });
    const look = heard(20, presence(1, { online_status: "offline", last_seen: null, reason: null }));
    expect(overlaid(ann, 10, look)).toMatchObject({ last_seen: ann.last_seen, reason: "logout" });
  });
});

describe("still", () => {
  it("leaves out who came or went, where only some are wanted", () => {
    const users = [user(1, { online_status: "online" }), user(2)];
    expect(still(users, "online").map(({ id }) => id)).toEqual([1]);
    expect(still(users, "offline").map(({ id }) => id)).toEqual([2]);
    expect(still(users, null)).toBe(users);
  });
});

describe("markOf", () => {
  const account = { status: "active", is_active: true, online_status: "online" };
  it("shows how available somebody is, who is online", () => {
    expect(markOf({ ...account, availability: "available" })).toBe("online");
    expect(markOf({ ...account, availability: "away" })).toBe("away");
    expect(markOf({ ...account, availability: "dnd" })).toBe("dnd");
    expect(markOf({ ...account, availability: "a later word" })).toBe("online");
    expect(markOf(account)).toBe("online");
  });
  it("shows nothing of it where somebody is offline, barred, or was online", () => {
    expect(markOf({ ...account, online_status: "offline", availability: "dnd" })).toBe("offline");
    expect(markOf({ ...account, status: "banned", availability: "dnd" })).toBe("offline");
    expect(markOf({ ...account, availability: "dnd" }, false)).toBe("was_online");
  });
});

describe("contacts", () => {
  const contact = (id: number, username: string, part: Partial<Contact> = {}): Contact => ({
    id,
    user_id: id,
    username,
    state: "accepted",
    since: "2026-01-01T12:00:00.000Z",
    notify: null,
    presence: presence(id, { online_status: "offline" }),
    ...part,
  });

  it("stand with those first who are online, and then by name", () => {
    const list = [contact(1, "zoe"), contact(2, "ann"), contact(3, "Bob", { presence: presence(3) })];
    expect(inState(list, "accepted").map(({ username }) => username)).toEqual(["Bob", "ann", "zoe"]);
    expect(inState(list, "incoming")).toEqual([]);
  });

  it("show what was heard, but of nobody who has not accepted", () => {
    const list = [contact(1, "ann"), contact(2, "bob", { state: "requested" }), contact(3, "cem")];
    const look = heard(20, presence(1), presence(2));
    const now = contactsOverlaid(list, 10, look).map((each) => each.presence.online_status);
    expect(now).toEqual(["online", "offline", "offline"]);
    expect(contactsOverlaid(list, 30, look)[0]).toBe(list[0]);
  });
});

describe("the end of a choice", () => {
  const now = new Date(2026, 0, 1, 15, 10).getTime();
  it("is some time from now, or with the day", () => {
    expect(endOf("never", "", now)).toBeNull();
    expect(Date.parse(endOf("half", "", now) as string) - now).toBe(30 * 60_000);
    expect(Date.parse(endOf("hour", "", now) as string) - now).toBe(60 * 60_000);
    expect(endOf("today", "", now)).toBe(new Date(2026, 0, 2).toISOString());
  });
  it("is a local time of one's choice", () => {
    expect(localField(now)).toBe("2026-01-01T15:10");
    expect(endOf("custom", "2026-01-01T15:10", 0)).toBe(new Date(now).toISOString());
    expect(endOf("custom", "", now)).toBeNull();
  });
});

describe("with time", () => {
  beforeEach(() => void vi.useFakeTimers({ now: 1_000_000 }));
  afterEach(() => void vi.useRealTimers());

  it("the store draws some times a second at most, and knows when it heard", () => {
    const listeners: Record<string, (event: never) => void> = {};
    const live = {
      on: (name: string, listener: (event: never) => void) => {
        listeners[name] = listener;
        return () => delete listeners[name];
      },
    };
    const store = new HeardStore(live as never);
    const draw = vi.fn();
    store.subscribe(draw);
    for (let id = 1; id <= 50; id += 1) listeners.presence?.({ presence: presence(id) } as never);
    listeners.snapshot?.({ presences: [presence(60)] } as never);
    expect(store.get(50)?.at).toBe(1_000_000);
    expect(draw).not.toHaveBeenCalled();
    vi.advanceTimersByTime(100);
    expect(draw).toHaveBeenCalledTimes(1);
    expect(store.version()).toBe(1);
    store.close();
    expect(listeners).toEqual({});
  });

  it("asking again is soon, and not too often", () => {
    const call = vi.fn();
    const ask = throttled(1000, call);
    for (let tenth = 0; tenth < 30; tenth += 1) {
      ask.call();
      vi.advanceTimersByTime(100);
    }
    expect(call).toHaveBeenCalledTimes(3);
    ask.call();
    ask.stop();
    vi.advanceTimersByTime(5000);
    expect(call).toHaveBeenCalledTimes(3);
  });
});

import type { User } from "../src/api/types";

export function user(id: number, part: Partial<User> = {}): User {
  return {
    id,
    username: `person${id}`,
    email: `person${id}@example.org`,
    role: "user",
    status: "active",
    is_active: true,
    online_status: "offline",
    availability: "available",
    last_seen: null,
    reason: null,
    ...part,
  };
}

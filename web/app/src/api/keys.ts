// The keys of everything that is kept from the server, so that what an action changes is easily found.

export const keys = {
  me: ["me"] as const,
  config: ["config"] as const,
  counts: ["users", "counts"] as const,
  matching: (filter: unknown) => ["users", "matching", filter] as const,
  contacts: ["contacts"] as const,
  notifications: ["notifications"] as const,
  unread: ["notifications", "unread"] as const,
  notificationList: ["notifications", "list"] as const,
  found: (search: string) => ["found", search] as const,
  lists: ["users", "list"] as const,
  list: (filter: unknown) => ["users", "list", filter] as const,
  user: (id: number) => ["user", id] as const,
  profile: (id: number) => ["user", id, "profile"] as const,
  devices: (id: number) => ["user", id, "devices"] as const,
  history: (id: number) => ["user", id, "history"] as const,
  audit: (id: number) => ["user", id, "audit"] as const,
  stats: (what: string, query: unknown) => ["stats", what, query] as const,
  webhooks: ["webhooks"] as const,
  webhook: (id: number) => ["webhooks", id] as const,
  deliveries: (id: number, status: string | null) => ["webhooks", id, "deliveries", status] as const,
};

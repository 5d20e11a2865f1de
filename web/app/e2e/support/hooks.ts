// The server's webhooks, made up: they change by what the page does.

import type { Page, Route } from "@playwright/test";

interface Delivery {
  id: number;
  webhook_id: string;
  type: string;
  status: string;
  attempts: number;
  created_at: string;
  last_attempt_at: string | null;
  next_attempt_at: string | null;
  last_status: number | null;
  last_error: string | null;
  last_response: string | null;
  body: string;
}

interface Webhook {
  id: number;
  url: string;
  events: string[];
  description: string | null;
  enabled: boolean;
  disabled_reason: string | null;
  failing_since: string | null;
  created_at: string;
  last_delivery: { at: string; ok: boolean } | null;
}

const MINUTE = 60_000;
const ago = (ms: number) => new Date(Date.now() - ms).toISOString();

function delivery(id: number, part: Partial<Delivery> = {}): Delivery {
  const type = part.type ?? "presence.online";
  const body = { type, timestamp: ago(id * MINUTE), data: { user_id: 7 + id, online_status: "online", availability: "available", last_seen: null } };
  return {
    id,
    webhook_id: `msg_2mVbq7Hn${id}`,
    type,
    status: "delivered",
    attempts: 1,
    created_at: ago((60 - id) * MINUTE),
    last_attempt_at: ago((60 - id) * MINUTE - 800),
    next_attempt_at: null,
    last_status: 204,
    last_error: null,
    last_response: null,
    body: JSON.stringify(body),
    ...part,
  };
}

export class FakeWebhooks {
  webhooks: Webhook[] = [];
  deliveries = new Map<number, Delivery[]>();
  sent: { method: string; path: string; body: unknown }[] = [];
  private next = 1;
  private secrets = 0;

  static async at(page: Page): Promise<FakeWebhooks> {
    const fake = new FakeWebhooks();
    await page.route("**/api/webhooks/**", (route) => fake.answer(route));
    return fake;
  }

  add(url: string, part: Partial<Webhook> = {}): Webhook {
    const webhook: Webhook = {
      id: this.next++,
      url,
      events: ["*"],
      description: null,
      enabled: true,
      disabled_reason: null,
      failing_since: null,
      created_at: ago(86_400_000),
      last_delivery: null,
      ...part,
    };
    this.webhooks.push(webhook);
    this.deliveries.set(webhook.id, []);
    return webhook;
  }

  /** One that does well, one that fails, and one that is gone; with deliveries of every kind. */
  furnish() {
    const well = this.add("https://chat.example.org/hooks/lastseen", {
      events: ["presence.*", "account.created"],
      description: "Green dots in the chat",
      last_delivery: { at: ago(20_000), ok: true },
    });
    this.add("https://warehouse.example.org/ingest/presence/with/a/long/path/that/has/to/wrap/somewhere?tenant=lastseen", {
      failing_since: ago(7 * 3_600_000),
      last_delivery: { at: ago(9 * MINUTE), ok: false },
    });
    this.add("https://old.example.org/", { events: ["account.*"], enabled: false, disabled_reason: "gone", last_delivery: { at: ago(86_400_000 * 3), ok: false } });
    const log = Array.from({ length: 40 }, (_, index) => delivery(index + 1, { type: index % 3 === 0 ? "presence.offline" : "presence.online" }));
    log[39] = delivery(40, { type: "account.created", status: "pending", attempts: 2, last_status: 503, last_error: "answered 503", next_attempt_at: new Date(Date.now() + 2 * MINUTE).toISOString(), last_response: "upstream is away" });
    log[38] = delivery(39, { status: "dead", attempts: 10, last_status: null, last_error: "connection refused" });
    this.deliveries.set(well.id, log.reverse());
    return well;
  }

  private answer(route: Route) {
    const request = route.request();
    const url = new URL(request.url());
    const method = request.method();
    const body = request.postData() ? (request.postDataJSON() as Record<string, unknown>) : {};
    if (method !== "GET") this.sent.push({ method, path: url.pathname, body });
    const [, , , id, what, did] = url.pathname.split("/");
    const webhook = this.webhooks.find((each) => String(each.id) === id);
    if (!id) return method === "GET" ? route.fulfill({ json: { webhooks: this.webhooks } }) : this.create(route, body);
    if (!webhook) return route.fulfill(problem(404, "webhook_not_found", "there is no such webhook"));
    switch (what) {
      case "rotate-secret":
        return route.fulfill({ json: { secret: this.secret() } });
      case "test":
        return this.test(route, webhook);
      case "deliveries":
        return did ? this.redeliver(route, webhook, Number(did)) : this.log(route, webhook, url.searchParams);
    }
    if (method === "DELETE") {
      this.webhooks = this.webhooks.filter((each) => each !== webhook);
      return route.fulfill({ status: 204 });
    }
    if (method === "PATCH") {
      Object.assign(webhook, body, body.enabled === true ? { disabled_reason: null, failing_since: null } : {});
    }
    return route.fulfill({ json: webhook });
  }

  private secret = () => `whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS${++this.secrets}`;

  private create(route: Route, body: Record<string, unknown>) {
    if (String(body.url).includes("127.0.0.1")) {
      return route.fulfill(problem(422, "validation_failed", "url must not lead to a private address", "url"));
    }
    const made = this.add(String(body.url), { events: body.events as string[], description: (body.description as string | undefined) ?? null });
    return route.fulfill({ status: 201, json: { ...made, secret: this.secret() } });
  }

  private test(route: Route, webhook: Webhook) {
    const log = this.deliveries.get(webhook.id) as Delivery[];
    const made = delivery(log.length + 1, { type: "webhook.test", status: "pending", attempts: 0, last_status: null, last_attempt_at: null, created_at: ago(0), next_attempt_at: ago(0) });
    log.unshift(made);
    return route.fulfill({ status: 202, json: made });
  }

  private redeliver(route: Route, webhook: Webhook, did: number) {
    const found = this.deliveries.get(webhook.id)?.find((each) => each.id === did);
    if (!found) return route.fulfill(problem(404, "delivery_not_found", "there is no such delivery"));
    Object.assign(found, { status: "pending", attempts: 0, next_attempt_at: ago(0) });
    return route.fulfill({ status: 202, json: found });
  }

  private log(route: Route, webhook: Webhook, query: URLSearchParams) {
    const all = (this.deliveries.get(webhook.id) ?? []).filter(({ status }) => !query.has("status") || status === query.get("status"));
    const [from, limit] = [Number(query.get("cursor") ?? 0), Number(query.get("limit") ?? 100)];
    const next_cursor = from + limit < all.length ? String(from + limit) : null;
    return route.fulfill({ json: { deliveries: all.slice(from, from + limit), next_cursor } });
  }
}

function problem(status: number, code: string, detail: string, field?: string) {
  const json = { type: `urn:lastseen:problem:${code}`, title: code, status, code, detail, field };
  return { status, contentType: "application/problem+json", json };
}

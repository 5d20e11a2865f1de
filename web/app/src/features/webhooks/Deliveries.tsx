import { Button, SegmentedControl, Skeleton, Text } from "@mantine/core";
import { useSearchParams } from "react-router";
import { redeliver } from "../../api/admin-calls";
import type { Delivery, DeliveryStatus } from "../../api/admin-types";
import { sentence } from "../../api/problem";
import { useNow } from "../../lib/clock";
import { exact, momentWords } from "../../lib/time";
import { texts } from "../../texts";
import { webhooks as words } from "../../texts-admin";
import { said } from "../../ui/notify";
import { Ago } from "../../ui/Presence";
import { useAct, useDeliveries } from "./useWebhooks";
import classes from "./Webhooks.module.css";

const statuses: DeliveryStatus[] = ["pending", "delivered", "dead"];

/** Which deliveries are shown stands in the address. */
export function useStatus(): [DeliveryStatus | null, (status: DeliveryStatus | null) => void] {
  const [params, setParams] = useSearchParams();
  const status = statuses.find((each) => each === params.get("status")) ?? null;
  return [status, (next) => setParams(next ? { status: next } : {}, { replace: true })];
}

export function DeliveryFilter({ status, change }: { status: DeliveryStatus | null; change: (status: DeliveryStatus | null) => void }) {
  return (
    <SegmentedControl
      size="xs"
      aria-label={words.statusFilter}
      value={status ?? ""}
      onChange={(value) => change((value || null) as DeliveryStatus | null)}
      data={[{ value: "", label: words.every }, ...statuses.map((value) => ({ value, label: words.status[value] }))]}
    />
  );
}

/** What was sent, the newest first, and how it went. */
export function DeliveryLog({ id, status }: { id: number; status: DeliveryStatus | null }) {
  const { data, error, hasNextPage, fetchNextPage, isFetchingNextPage } = useDeliveries(id, status);
  if (!data) {
    return error ? <Text c="dimmed">{sentence(error, texts.users.unreachable)}</Text> : <Skeleton height={120} aria-label={texts.loading} />;
  }
  const seen = new Map(data.pages.flatMap((page) => page.deliveries).map((delivery) => [delivery.id, delivery]));
  if (seen.size === 0) return <Text c="dimmed">{words.noDeliveries}</Text>;
  return (
    <>
      <ol className={classes.deliveries}>
        {[...seen.values()].map((delivery) => (
          <Line key={delivery.id} webhook={id} delivery={delivery} />
        ))}
      </ol>
      {hasNextPage ? (
        <Button variant="default" size="compact-sm" mt="md" loading={isFetchingNextPage} onClick={() => void fetchNextPage()}>
          {words.older}
        </Button>
      ) : null}
    </>
  );
}

function Line({ webhook, delivery }: { webhook: number; delivery: Delivery }) {
  const act = useAct();
  const { id, type, status, attempts, created_at, last_attempt_at, last_status, last_error, last_response, next_attempt_at, body, webhook_id } = delivery;
  return (
    <li className={classes.delivery} data-delivery={id}>
      <div className={classes.line}>
        <span className={classes.mark} data-state={status}>
          {words.status[status] ?? status}
        </span>
        <b className={classes.type}>{type}</b>
        <span className={classes.times}>
          {words.made_at} <Ago at={created_at} />
        </span>
        {status === "pending" ? null : (
          <span className={classes.side}>
            <Button
              variant="default"
              size="compact-sm"
              aria-label={words.redeliverOf(type, id)}
              onClick={() => void act(words.refused(words.redeliver), redeliver(webhook, id), () => said(words.redelivered))}
            >
              {words.redeliver}
            </Button>
          </span>
        )}
      </div>
      <div className={classes.facts}>
        <span>{words.attempts(attempts)}</span>
        {/* A refusal names the status itself. */}
        {attempts > 0 && !(last_status && last_error) ? <span>{last_status ? words.answered(last_status) : words.noAnswer}</span> : null}
        {last_error ? <span className={classes.bad}>{last_error}</span> : null}
        {last_attempt_at ? (
          <span>
            {words.lastAttempt} <Ago at={last_attempt_at} />
          </span>
        ) : null}
        {status === "pending" && next_attempt_at ? <Next at={next_attempt_at} /> : null}
      </div>
      <details className={classes.details}>
        <summary>{words.details}</summary>
        <p>
          {words.messageId}: <code>{webhook_id}</code>
        </p>
        <pre tabIndex={0} aria-label={words.details}>
          {pretty(body)}
        </pre>
        {last_response ? (
          <>
            <p>{words.response}</p>
            <pre tabIndex={0} aria-label={words.response}>
              {last_response}
            </pre>
          </>
        ) : null}
      </details>
    </li>
  );
}

function Next({ at }: { at: string }) {
  const now = useNow();
  const due = Date.parse(at) <= now;
  return <span title={exact(at)}>{due ? words.nextNow : words.nextAttempt(momentWords(at, now))}</span>;
}

/** JSON with lines, or the text as it is. */
function pretty(body: string): string {
  try {
    return JSON.stringify(JSON.parse(body), null, 2);
  } catch {
    return body;
  }
}

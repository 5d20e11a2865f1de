import type { Webhook } from "../../api/admin-types";
import { webhooks as words } from "../../texts-admin";
import { Ago } from "../../ui/Presence";
import classes from "./Webhooks.module.css";

/** Enabled or not: never by the colour alone. */
export function StateMark({ webhook }: { webhook: Webhook }) {
  return (
    <span className={classes.mark} data-state={webhook.enabled ? "delivered" : "dead"}>
      {webhook.enabled ? words.state.enabled : words.state.disabled}
    </span>
  );
}

/** How it does: why it is disabled, since when it fails, how the last attempt ended. */
export function WebhookFacts({ webhook }: { webhook: Webhook }) {
  const { enabled, disabled_reason, failing_since, last_delivery } = webhook;
  return (
    <>
      <ul className={classes.filters} aria-label={words.events}>
        {webhook.events.map((event) => (
          <li key={event}>{event === "*" ? words.everything : event}</li>
        ))}
      </ul>
      <div className={classes.facts}>
        {enabled ? null : <span className={classes.bad}>{disabled_reason ? (words.why[disabled_reason] ?? disabled_reason) : words.whyByHand}</span>}
        {failing_since ? (
          <span className={classes.bad}>
            {words.failingSince} <Ago at={failing_since} />
          </span>
        ) : null}
        <span>
          {last_delivery ? (
            <>
              {last_delivery.ok ? words.succeeded : words.failedLast} <Ago at={last_delivery.at} />
            </>
          ) : (
            words.neverSent
          )}
        </span>
      </div>
    </>
  );
}

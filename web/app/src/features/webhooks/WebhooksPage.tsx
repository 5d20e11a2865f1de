import { Anchor, Button, Skeleton, Text, Title } from "@mantine/core";
import { Link } from "react-router";
import { editWebhook } from "../../api/admin-calls";
import type { Webhook } from "../../api/admin-types";
import { sentence } from "../../api/problem";
import { texts } from "../../texts";
import { webhooks as words } from "../../texts-admin";
import { PlusIcon } from "../../ui/icons";
import { said } from "../../ui/notify";
import { usePageTitle } from "../../ui/Page";
import { StaleBanner } from "../users/StaleBanner";
import { useAct, useWebhooks } from "./useWebhooks";
import { StateMark, WebhookFacts } from "./WebhookFacts";
import { openWebhookForm } from "./WebhookForm";
import { WebhookMenu } from "./WebhookMenu";
import classes from "./Webhooks.module.css";

export default function WebhooksPage() {
  usePageTitle(words.title);
  const { data, error, dataUpdatedAt, refetch, isFetching } = useWebhooks();
  return (
    <>
      <div className={classes.head}>
        <div>
          <Title order={1} size="h2">
            {words.title}
          </Title>
          <Text c="dimmed" size="sm" mt={4}>
            {words.intro}
          </Text>
        </div>
        <Button leftSection={<PlusIcon size={16} />} onClick={() => openWebhookForm()}>
          {words.create}
        </Button>
      </div>
      {error && data ? <StaleBanner error={error} updatedAt={dataUpdatedAt} retry={() => void refetch()} busy={isFetching} /> : null}
      {data ? (
        data.length > 0 ? (
          <ul className={classes.list}>
            {data.map((webhook) => (
              <Item key={webhook.id} webhook={webhook} />
            ))}
          </ul>
        ) : (
          <Text c="dimmed">{words.none}</Text>
        )
      ) : error ? (
        <div role="status">
          <Text c="dimmed" mb="sm">
            {words.neverLoaded} {sentence(error, texts.users.unreachable)}
          </Text>
          <Button variant="default" size="compact-sm" loading={isFetching} onClick={() => void refetch()}>
            {texts.tryAgain}
          </Button>
        </div>
      ) : (
        <Skeleton height={110} role="status" aria-label={texts.loading} />
      )}
    </>
  );
}

function Item({ webhook }: { webhook: Webhook }) {
  const act = useAct();
  const { id, url, description, enabled } = webhook;
  return (
    <li className={classes.item} data-webhook={url}>
      <div className={classes.line}>
        <Anchor component={Link} to={`/admin/webhooks/${id}`} className={classes.url}>
          {url}
        </Anchor>
        <StateMark webhook={webhook} />
        <span className={classes.side}>
          {enabled ? null : (
            <Button
              variant="default"
              size="compact-sm"
              onClick={() => void act(words.refused(words.enable), editWebhook(id, { enabled: true }), () => said(words.enabled))}
            >
              {words.enable}
            </Button>
          )}
          <WebhookMenu webhook={webhook} />
        </span>
      </div>
      {description ? <p className={classes.description}>{description}</p> : null}
      <WebhookFacts webhook={webhook} />
    </li>
  );
}

import { Anchor, Button, Skeleton, Text, Title } from "@mantine/core";
import { Link, useNavigate, useParams } from "react-router";
import { editWebhook, testWebhook } from "../../api/admin-calls";
import type { Webhook } from "../../api/admin-types";
import { Problem } from "../../api/problem";
import { texts } from "../../texts";
import { webhooks as words } from "../../texts-admin";
import { BackIcon } from "../../ui/icons";
import { said } from "../../ui/notify";
import { NotFound, usePageTitle } from "../../ui/Page";
import { Panel } from "../../ui/Panel";
import { StaleBanner } from "../users/StaleBanner";
import { DeliveryFilter, DeliveryLog, useStatus } from "./Deliveries";
import { useAct, useWebhook } from "./useWebhooks";
import { StateMark, WebhookFacts } from "./WebhookFacts";
import { WebhookMenu } from "./WebhookMenu";
import classes from "./Webhooks.module.css";

export default function WebhookPage() {
  const id = Number(useParams().id);
  if (!Number.isSafeInteger(id) || id < 1) return <NotFound />;
  return <Detail key={id} id={id} />;
}

function Detail({ id }: { id: number }) {
  const { data, error, dataUpdatedAt, refetch, isFetching } = useWebhook(id);
  const [status, setStatus] = useStatus();
  const gone = error instanceof Problem && error.status === 404;
  usePageTitle(words.title);
  return (
    <>
      <Anchor component={Link} to="/admin/webhooks" size="sm" c="dimmed" className={classes.back}>
        <BackIcon size={16} />
        {words.back}
      </Anchor>
      {gone ? (
        <>
          <Title order={1} size="h2">
            {words.notFound}
          </Title>
          <Text c="dimmed">{words.notFoundText}</Text>
        </>
      ) : (
        <>
          {error ? <StaleBanner error={error} updatedAt={dataUpdatedAt} retry={() => void refetch()} busy={isFetching} /> : null}
          {data ? <Head webhook={data} /> : error ? null : <Skeleton height={90} mb="lg" aria-label={texts.loading} />}
          <Panel title={words.deliveries} actions={<DeliveryFilter status={status} change={setStatus} />}>
            <DeliveryLog id={id} status={status} />
          </Panel>
        </>
      )}
    </>
  );
}

function Head({ webhook }: { webhook: Webhook }) {
  const act = useAct();
  const navigate = useNavigate();
  const { id, url, description, enabled } = webhook;
  return (
    <div className={classes.detail}>
      <div className={classes.line}>
        <Title order={1} size="h3" className={classes.url}>
          {url}
        </Title>
        <StateMark webhook={webhook} />
        <span className={classes.side}>
          {enabled ? (
            <Button variant="default" size="xs" onClick={() => void act(words.refused(words.test), testWebhook(id), () => said(words.tested))}>
              {words.test}
            </Button>
          ) : (
            <Button
              variant="default"
              size="xs"
              onClick={() => void act(words.refused(words.enable), editWebhook(id, { enabled: true }), () => said(words.enabled))}
            >
              {words.enable}
            </Button>
          )}
          <WebhookMenu webhook={webhook} onDeleted={() => void navigate("/admin/webhooks")} />
        </span>
      </div>
      {description ? <p className={classes.description}>{description}</p> : null}
      <WebhookFacts webhook={webhook} />
    </div>
  );
}

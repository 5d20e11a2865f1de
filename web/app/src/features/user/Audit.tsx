import { Button, Skeleton, Text } from "@mantine/core";
import { sentence } from "../../api/problem";
import type { AuditEntry } from "../../api/types";
import { texts } from "../../texts";
import { Ago } from "../../ui/Presence";
import classes from "./Audit.module.css";
import { changeWords } from "./changes";
import { useAudit } from "./useUser";

/** Who did what to the account, and why. */
export function Audit({ id }: { id: number }) {
  const { data, error, hasNextPage, fetchNextPage, isFetchingNextPage } = useAudit(id);
  if (!data) return error ? <Text c="dimmed">{sentence(error, texts.login.unreachable)}</Text> : <Skeleton height={48} />;
  const entries = data.pages.flatMap((page) => page.entries);
  if (entries.length === 0) return <Text c="dimmed">{texts.user.noAudit}</Text>;
  return (
    <>
      <ol className={classes.entries}>
        {entries.map((entry) => (
          <Entry key={entry.id} entry={entry} />
        ))}
      </ol>
      {hasNextPage ? (
        <Button variant="default" size="compact-sm" mt="md" loading={isFetchingNextPage} onClick={() => void fetchNextPage()}>
          {texts.user.older}
        </Button>
      ) : null}
    </>
  );
}

function Entry({ entry }: { entry: AuditEntry }) {
  const changes = changeWords(entry.details);
  return (
    <li className={classes.entry}>
      <span className={classes.when}>
        <Ago at={entry.at} />
      </span>
      <span className={classes.what}>
        <b>{texts.user.auditActions[entry.action] ?? entry.action}</b> {texts.user.by(entry.actor)}
        {changes ? <span className={classes.quiet}> · {changes}</span> : null}
        {entry.reason ? <span className={classes.reason}>{entry.reason}</span> : null}
      </span>
    </li>
  );
}

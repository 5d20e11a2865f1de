import { Anchor, Skeleton, Text, Title } from "@mantine/core";
import { Link, useNavigate, useParams } from "react-router";
import { Problem } from "../../api/problem";
import type { Role, User } from "../../api/types";
import { accountStatus, markOf, presenceOf } from "../../lib/presence";
import { useAdmin } from "../../session/guards";
import { texts } from "../../texts";
import { BackIcon } from "../../ui/icons";
import { NotFound, usePageTitle } from "../../ui/Page";
import { Panel } from "../../ui/Panel";
import { Ago, PresenceMark, StatusMark, Words } from "../../ui/Presence";
import { RowActions } from "../users/actions/RowActions";
import { RowMenu } from "../users/actions/RowMenu";
import { StaleBanner } from "../users/StaleBanner";
import { Audit } from "./Audit";
import { Devices } from "./Devices";
import { Timeline } from "./Timeline";
import { useUser } from "./useUser";
import classes from "./UserPage.module.css";

export default function UserPage() {
  const id = Number(useParams().id);
  if (!Number.isSafeInteger(id) || id < 1) return <NotFound />;
  return <Detail key={id} id={id} />;
}

function Detail({ id }: { id: number }) {
  const me = useAdmin();
  const navigate = useNavigate();
  const { data: user, error, dataUpdatedAt, refetch, isFetching } = useUser(id);
  const gone = error instanceof Problem && error.status === 404;
  usePageTitle(user?.username ?? texts.users.title);

  return (
    <>
      <Anchor component={Link} to="/admin" size="sm" c="dimmed" className={classes.back}>
        <BackIcon size={16} />
        {texts.user.back}
      </Anchor>
      {error && !gone ? (
        <StaleBanner error={error} updatedAt={dataUpdatedAt} retry={() => void refetch()} busy={isFetching} />
      ) : null}
      {gone ? (
        <div className={classes.head}>
          <div>
            <Title order={1} size="h2">
              {texts.user.notFound}
            </Title>
            <Text c="dimmed">{texts.user.deleted}</Text>
          </div>
        </div>
      ) : user ? (
        <Head user={user} myId={me.id} onDeleted={() => void navigate("/admin")} certain={!error} />
      ) : (
        <Skeleton height={64} mb="lg" aria-label={texts.loading} />
      )}
      <div className={classes.grid}>
        {gone ? null : (
          <>
            <Timeline id={id} />
            <Panel title={texts.user.devices}>
              <Devices id={id} />
            </Panel>
          </>
        )}
        <Panel title={texts.user.audit} className={classes.wide}>
          <Audit id={id} />
        </Panel>
      </div>
    </>
  );
}

interface HeadProps {
  user: User;
  myId: number;
  certain: boolean;
  onDeleted: () => void;
}

function Head({ user, myId, certain, onDeleted }: HeadProps) {
  const presence = presenceOf(user);
  const status = accountStatus(user);
  // Of a barred account the status says it already.
  const reason = user.reason && status === "active" ? texts.reason[user.reason] : undefined;
  return (
    <div className={classes.head}>
      <div className={classes.who}>
        <Title order={1} size="h2" className={classes.name}>
          {user.username}
        </Title>
        <div className={classes.facts}>
          <PresenceMark presence={markOf(user, certain)} />
          {presence === "online" ? <Words text={user.text} emoji={user.emoji} /> : null}
          {presence === "online" && certain ? null : (
            <span>
              <Ago at={user.last_seen} />
              {reason ? ` (${reason})` : null}
            </span>
          )}
          <StatusMark status={status} />
          <span>{texts.role[user.role as Role] ?? user.role}</span>
          {user.email ? <span className={classes.email}>{user.email}</span> : null}
        </div>
      </div>
      <div className={classes.actions}>
        <RowMenu myId={myId} onDeleted={onDeleted}>
          <RowActions user={user} myId={myId} />
        </RowMenu>
      </div>
    </div>
  );
}

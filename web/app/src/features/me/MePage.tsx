import { Text, Title } from "@mantine/core";
import type { Profile } from "../../api/types";
import { availabilityMark } from "../../lib/presence";
import { date } from "../../lib/time";
import { useMe, usePulse } from "../../session/hooks";
import { texts } from "../../texts";
import { Waiting, usePageTitle } from "../../ui/Page";
import { Panel } from "../../ui/Panel";
import { PresenceMark } from "../../ui/Presence";
import { Devices } from "../user/Devices";
import { Everywhere } from "./Everywhere";
import { AwayForm, EmailForm, PasswordForm, PrivacyForm, TimeoutForm } from "./forms";
import classes from "./MePage.module.css";

export default function MePage() {
  usePageTitle(texts.me.title);
  const { data: me } = useMe();
  return me ? <Me me={me} /> : <Waiting />;
}

function Me({ me }: { me: Profile }) {
  return (
    <>
      <div className={classes.head}>
        <Title order={1} size="h2" className={classes.name}>
          {me.username}
        </Title>
        <Beating me={me} />
        <Text size="sm" c="dimmed">
          {texts.me.created(date(me.created_at))}
        </Text>
      </div>
      <div className={classes.grid}>
        <Panel title={texts.user.devices}>
          <Devices id={me.id} />
          <Everywhere />
        </Panel>
        <Panel title={texts.me.timeout}>
          <TimeoutForm me={me} />
        </Panel>
        <Panel title={texts.me.privacy}>
          <PrivacyForm me={me} />
        </Panel>
        <Panel title={texts.me.away}>
          <AwayForm me={me} />
        </Panel>
        <Panel title={texts.me.profile}>
          <EmailForm me={me} />
        </Panel>
        <Panel title={texts.me.password}>
          <PasswordForm me={me} />
        </Panel>
      </div>
    </>
  );
}

/** What one's own heartbeats say. */
function Beating({ me }: { me: Profile }) {
  const pulse = usePulse();
  const beating = pulse === "beating";
  return (
    <div className={classes.pulse} role="status">
      <PresenceMark presence={beating ? availabilityMark(me.availability) : pulse === "retrying" ? "was_online" : "offline"} />
      <Text size="sm" c="dimmed">
        {beating ? (me.availability === "invisible" ? texts.me.invisible : texts.me.online) : pulse === "retrying" ? texts.me.retrying : texts.me.offline}
      </Text>
    </div>
  );
}

import { Button, Skeleton, Text } from "@mantine/core";
import { modals } from "@mantine/modals";
import { useQueryClient } from "@tanstack/react-query";
import { endDevice } from "../../api/calls";
import { sentence } from "../../api/problem";
import type { Device } from "../../api/types";
import { texts } from "../../texts";
import { PhoneIcon, ScreenIcon } from "../../ui/icons";
import { refused, said } from "../../ui/notify";
import { Ago, PresenceMark } from "../../ui/Presence";
import { refresh } from "../users/actions/optimistic";
import classes from "./Devices.module.css";
import { useDevices } from "./useUser";

/** Where somebody is logged in; each device can be logged out. */
export function Devices({ id }: { id: number }) {
  const { data, error } = useDevices(id);
  if (!data) return error ? <Text c="dimmed">{sentence(error, texts.login.unreachable)}</Text> : <Skeleton height={56} />;
  if (data.length === 0) return <Text c="dimmed">{texts.user.noDevices}</Text>;
  return (
    <ul className={classes.devices}>
      {data.map((device) => (
        <Entry key={device.id} userId={id} device={device} />
      ))}
    </ul>
  );
}

function Entry({ userId, device }: { userId: number; device: Device }) {
  const queries = useQueryClient();
  const name = device.device ?? texts.user.unnamed;
  const Icon = /iPhone|iPad|Android|phone/i.test(name) ? PhoneIcon : ScreenIcon;

  function ask() {
    modals.openConfirmModal({
      title: texts.user.endTitle(name),
      children: <Text size="sm">{texts.user.endText}</Text>,
      labels: { confirm: texts.user.endLabel(name), cancel: texts.cancel },
      confirmProps: { color: "red.8" },
      onConfirm: () =>
        endDevice(userId, device.id)
          .then(() => said(texts.user.ended(name)))
          .catch((error: unknown) => refused(texts.user.endLabel(name), error))
          .finally(() => refresh(queries, userId)),
    });
  }

  return (
    <li className={classes.device}>
      <span className={classes.icon}>
        <Icon size={20} />
      </span>
      <div className={classes.about}>
        <div className={classes.line}>
          <b>{name}</b>
          {device.current ? <span className={classes.current}>{texts.user.current}</span> : null}
        </div>
        <div className={classes.quiet}>
          {device.online ? <PresenceMark presence="online" /> : <Ago at={device.last_seen} />}
        </div>
      </div>
      {device.current ? null : (
        <Button size="compact-sm" variant="default" onClick={ask} aria-label={texts.user.endLabel(name)}>
          {texts.user.end}
        </Button>
      )}
    </li>
  );
}

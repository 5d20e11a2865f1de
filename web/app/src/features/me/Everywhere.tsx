import { Button, Text } from "@mantine/core";
import { session } from "../../session";
import { texts } from "../../texts";
import { refused } from "../../ui/notify";
import classes from "./MePage.module.css";

export function Everywhere() {
  const leave = () => session.logout(true).catch((error: unknown) => refused(texts.logOutEverywhere, error));
  return (
    <div className={classes.everywhere}>
      <Text size="sm" c="dimmed">
        {texts.me.everywhereText}
      </Text>
      <Button variant="default" size="compact-sm" onClick={() => void leave()}>
        {texts.logOutEverywhere}
      </Button>
    </div>
  );
}

import { Group, Text } from "@mantine/core";
import { texts } from "../texts";
import classes from "./Shell.module.css";

export function Logo() {
  return (
    <Group gap={10} wrap="nowrap">
      <span className={classes.logo} aria-hidden="true" />
      <Text fw={680} size="lg" lts={-0.2}>
        {texts.product}
      </Text>
    </Group>
  );
}

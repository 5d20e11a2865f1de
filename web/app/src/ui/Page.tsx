import { Anchor, Center, Loader, Stack, Text, Title } from "@mantine/core";
import { useEffect, type ReactNode } from "react";
import { Link } from "react-router";
import { texts } from "../texts";

export function usePageTitle(title: string) {
  useEffect(() => {
    document.title = title === texts.product ? title : texts.title(title);
  }, [title]);
}

/** A page with a single thing to say. */
export function Message({ title, text, children }: { title: string; text?: string; children?: ReactNode }) {
  usePageTitle(title);
  return (
    <Center mih="60vh" px="md">
      <Stack gap="sm" maw={440} align="flex-start">
        <Title order={1} size="h2">
          {title}
        </Title>
        {text ? <Text c="dimmed">{text}</Text> : null}
        {children}
      </Stack>
    </Center>
  );
}

export function NotFound() {
  return (
    <Message title={texts.notFound.title} text={texts.notFound.text}>
      <Anchor component={Link} to="/">
        {texts.notFound.home}
      </Anchor>
    </Message>
  );
}

export function Waiting() {
  return (
    <Center mih="60vh">
      <Loader aria-label={texts.loading} role="status" />
    </Center>
  );
}

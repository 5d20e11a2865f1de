import { notifications } from "@mantine/notifications";
import { sentence } from "../api/problem";
import { texts } from "../texts";

export function said(message: string) {
  notifications.show({ message, color: "teal", autoClose: 4000, closeButtonProps: { "aria-label": texts.close } });
}

export function refused(title: string, error: unknown) {
  notifications.show({
    title,
    message: sentence(error, texts.actions.unreachable),
    color: "red",
    autoClose: 10_000,
    role: "alert",
    closeButtonProps: { "aria-label": texts.close },
  });
}

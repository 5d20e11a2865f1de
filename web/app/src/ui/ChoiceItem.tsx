import { Menu } from "@mantine/core";
import type { ReactNode } from "react";

interface Props {
  checked: boolean;
  choose: () => void;
  icon?: ReactNode;
  title?: string;
  children: ReactNode;
}

/** One of several things in a menu of which one is chosen. */
export function ChoiceItem({ checked, choose, icon, title, children }: Props) {
  return (
    <Menu.RadioItem value="" checked={checked} onChange={choose} closeMenuOnClick title={title} fw={checked ? 600 : undefined}>
      <span className="choice">
        {icon}
        <span>{children}</span>
      </span>
    </Menu.RadioItem>
  );
}

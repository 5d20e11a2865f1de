import { ActionIcon, Menu, useMantineColorScheme, type MantineColorScheme } from "@mantine/core";
import { texts } from "../texts";
import { ChoiceItem } from "./ChoiceItem";
import { MoonIcon, ScreenIcon, SunIcon } from "./icons";

const icons = { auto: ScreenIcon, light: SunIcon, dark: MoonIcon };
const schemes: MantineColorScheme[] = ["auto", "light", "dark"];

export function SchemeToggle() {
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  const Current = icons[colorScheme];
  return (
    <Menu position="bottom-end" width={190}>
      <Menu.Target>
        <ActionIcon variant="subtle" color="gray" size="lg" aria-label={`${texts.scheme.label}: ${texts.scheme[colorScheme]}`}>
          <Current />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        {schemes.map((scheme) => {
          const Each = icons[scheme];
          return (
            <ChoiceItem
              key={scheme}
              checked={scheme === colorScheme}
              choose={() => setColorScheme(scheme)}
              icon={<Each size={16} />}
            >
              {texts.scheme[scheme]}
            </ChoiceItem>
          );
        })}
      </Menu.Dropdown>
    </Menu>
  );
}

import { Menu, Modal, createTheme, type CSSVariablesResolver, type MantineColorsTuple } from "@mantine/core";

// The page is quiet so that the green of "online" is what is seen first.
const ink: MantineColorsTuple = [
  "#eef2fb", "#dbe2f1", "#b4c2e1", "#8aa0d1", "#6783c4", "#5171bc", "#4467b8", "#3557a2", "#2c4d92", "#204281",
];

// Greys with a little of the same blue, for dark pages.
const dark: MantineColorsTuple = [
  "#e6e9ef", "#c3c9d4", "#a2abba", "#747f90", "#4b5463", "#363d4a", "#272d37", "#1b1f27", "#14171d", "#0f1116",
];

export const theme = createTheme({
  primaryColor: "ink",
  primaryShade: { light: 7, dark: 5 },
  colors: { ink, dark },
  defaultRadius: "md",
  cursorType: "pointer",
  fontFamily: 'Inter, system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif',
  headings: { fontFamily: "inherit", fontWeight: "650" },
  respectReducedMotion: true,
  components: {
    // What it adds for its first focus is no item of a menu, and screen readers stumble over it.
    Menu: Menu.extend({ defaultProps: { withInitialFocusPlaceholder: false } }),
    Modal: Modal.extend({ defaultProps: { centered: true, overlayProps: { backgroundOpacity: 0.45 } }, classNames: { title: "modal-title" } }),
  },
});

/** The grounds and texts of the page, where the library's own are too hard or too faint. */
export const variables: CSSVariablesResolver = () => ({
  variables: {},
  light: {
    "--mantine-color-body": "#fbfcfe",
    "--mantine-color-text": "#171b24",
    "--mantine-color-dimmed": "var(--quiet)",
    "--mantine-color-placeholder": "#6a7383",
    "--mantine-color-error": "#b3261e",
  },
  dark: {
    "--mantine-color-body": "#14171d",
    "--mantine-color-text": "#e6e9ef",
    "--mantine-color-dimmed": "var(--quiet)",
    "--mantine-color-anchor": "#9db1de",
    "--mantine-color-placeholder": "#949eae",
    "--mantine-color-error": "#ff9f97",
  },
});

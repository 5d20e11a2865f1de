import { Modal, createTheme, type MantineColorsTuple } from "@mantine/core";

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
    Modal: Modal.extend({ defaultProps: { centered: true, overlayProps: { backgroundOpacity: 0.45 } }, classNames: { title: "modal-title" } }),
  },
});

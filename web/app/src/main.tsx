import "./ui/library.css";
import "@mantine/notifications/styles.css";
import "./ui/page.css";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./App";
import { forgetOnLogout } from "./queries";

forgetOnLogout();
createRoot(document.getElementById("root") as HTMLElement).render(
  <StrictMode>
    <App />
  </StrictMode>,
);

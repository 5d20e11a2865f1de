import { MantineProvider, localStorageColorSchemeManager } from "@mantine/core";
import { ModalsProvider } from "@mantine/modals";
import { Notifications } from "@mantine/notifications";
import { QueryClientProvider } from "@tanstack/react-query";
import { Suspense, lazy } from "react";
import { BrowserRouter, Route, Routes } from "react-router";
import { queries } from "./queries";
import { AdminsOnly, LoggedIn, Start } from "./session/guards";
import { texts } from "./texts";
import { theme, variables } from "./theme";
import { Crash } from "./ui/Crash";
import { NotFound, Waiting } from "./ui/Page";

const LoginPage = lazy(() => import("./features/login/LoginPage"));
const RegisterPage = lazy(() => import("./features/login/RegisterPage"));
const UsersPage = lazy(() => import("./features/users/UsersPage"));
const UserPage = lazy(() => import("./features/user/UserPage"));
const ContactsPage = lazy(() => import("./features/contacts/ContactsPage"));
const StatisticsPage = lazy(() => import("./features/statistics/StatisticsPage"));
const WebhooksPage = lazy(() => import("./features/webhooks/WebhooksPage"));
const WebhookPage = lazy(() => import("./features/webhooks/WebhookPage"));
const MePage = lazy(() => import("./features/me/MePage"));

// The same key is read by public/color-scheme.js.
const colorSchemes = localStorageColorSchemeManager({ key: "lastseen-color-scheme" });

export function App() {
  return (
    <MantineProvider theme={theme} cssVariablesResolver={variables} defaultColorScheme="auto" colorSchemeManager={colorSchemes}>
      <QueryClientProvider client={queries}>
        <Notifications position="bottom-center" limit={3} />
        <BrowserRouter>
          <ModalsProvider modalProps={{ centered: true, closeButtonProps: { "aria-label": texts.close } }}>
            <Crash>
              <Suspense fallback={<Waiting />}>
                <Pages />
              </Suspense>
            </Crash>
          </ModalsProvider>
        </BrowserRouter>
      </QueryClientProvider>
    </MantineProvider>
  );
}

function Pages() {
  return (
    <Routes>
      <Route index element={<Start />} />
      <Route path="login" element={<LoginPage key="user" />} />
      <Route path="admin-login" element={<LoginPage key="admin" admin />} />
      <Route path="register" element={<RegisterPage />} />
      <Route element={<LoggedIn />}>
        <Route path="me" element={<MePage />} />
        <Route path="admin/contacts" element={<ContactsPage />} />
        <Route path="admin" element={<AdminsOnly />}>
          <Route index element={<UsersPage />} />
          <Route path="users/:id" element={<UserPage />} />
          <Route path="statistics" element={<StatisticsPage />} />
          <Route path="webhooks" element={<WebhooksPage />} />
          <Route path="webhooks/:id" element={<WebhookPage />} />
        </Route>
      </Route>
      <Route path="*" element={<NotFound />} />
    </Routes>
  );
}

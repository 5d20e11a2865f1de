import { Anchor, Button, Group } from "@mantine/core";
import { Navigate, Outlet, useLocation, useOutletContext } from "react-router";
import { Link } from "react-router";
import type { Profile } from "../api/types";
import { texts } from "../texts";
import { Message, Waiting } from "../ui/Page";
import { Shell } from "../ui/Shell";
import { session } from ".";
import { useMe, useSession } from "./hooks";

/** Pages of those who are logged in; everyone else is led to the log-in page and back afterwards. */
export function LoggedIn() {
  const signedIn = useSession().id !== null;
  const location = useLocation();
  const me = useMe();
  if (!signedIn) {
    // Contacts are for everybody.
    const admins = location.pathname.startsWith("/admin") && !location.pathname.startsWith("/admin/contacts");
    const door = admins ? "/admin-login" : "/login";
    return <Navigate to={door} replace state={{ from: location.pathname + location.search }} />;
  }
  if (!me.data) return <Waiting />;
  return <Shell me={me.data} />;
}

/** Within `LoggedIn`: what only admins may see. Others are told so. */
export function AdminsOnly() {
  const me = useMe().data;
  if (!me) return <Waiting />;
  if (me.role !== "admin") return <Forbidden me={me} />;
  return <Outlet context={me} />;
}

export const useAdmin = () => useOutletContext<Profile>();

function Forbidden({ me }: { me: Profile }) {
  return (
    <Message title={texts.forbidden.title} text={texts.forbidden.text(me.username)}>
      <Group mt="sm">
        <Button component={Link} to="/me">
          {texts.forbidden.toMe}
        </Button>
        <Anchor component="button" type="button" onClick={() => void session.logout()}>
          {texts.forbidden.other}
        </Anchor>
      </Group>
    </Message>
  );
}

/** `/` leads to where one belongs. */
export function Start() {
  const signedIn = useSession().id !== null;
  const me = useMe().data;
  if (!signedIn) return <Navigate to="/login" replace />;
  if (!me) return <Waiting />;
  return <Navigate to={me.role === "admin" ? "/admin" : "/me"} replace />;
}

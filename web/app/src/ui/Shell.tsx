import { Button, Menu } from "@mantine/core";
import { Suspense } from "react";
import { Link, NavLink, Outlet, useLocation, useNavigate } from "react-router";
import type { Profile } from "../api/types";
import { AvailabilityItems } from "../features/availability/AvailabilityItems";
import { Bell } from "../features/notifications/Bell";
import { useIncoming } from "../features/contacts/useContacts";
import { availabilityMark } from "../lib/presence";
import { LiveProvider } from "../live/LiveProvider";
import { session } from "../session";
import { usePulse } from "../session/hooks";
import { texts } from "../texts";
import { Crash } from "./Crash";
import { ChartIcon, ContactsIcon, HookIcon, LeaveIcon, PeopleIcon, PersonIcon } from "./icons";
import { LiveMark } from "./LiveMark";
import { Logo } from "./Logo";
import { Dot } from "./Presence";
import { Waiting } from "./Page";
import { SchemeToggle } from "./SchemeToggle";
import classes from "./Shell.module.css";
import { refused } from "./notify";

const CONTACTS = "/admin/contacts";

/** What stands around every page of somebody who is logged in. */
export function Shell({ me }: { me: Profile }) {
  const onPeople = useOnPeople();
  return (
    <LiveProvider me={me}>
      <a href="#content" className={classes.skip}>
        {texts.skipToContent}
      </a>
      <header className={classes.header}>
        <div className={classes.bar}>
          <div className={classes.brand}>
            <Logo />
          </div>
          <nav className={classes.nav} aria-label={texts.navigation}>
            {me.role === "admin" ? (
              <Link to="/admin" className={classes.link} aria-current={onPeople ? "page" : undefined}>
                <PeopleIcon size={16} />
                <span className={classes.word}>{texts.people}</span>
              </Link>
            ) : null}
            <ContactsLink />
            {me.role === "admin" ? (
              <>
                <NavLink to="/admin/statistics" className={classes.link}>
                  <ChartIcon size={16} />
                  <span className={classes.word}>{texts.statisticsLink}</span>
                </NavLink>
                <NavLink to="/admin/webhooks" className={classes.link}>
                  <HookIcon size={16} />
                  <span className={classes.word}>{texts.webhooksLink}</span>
                </NavLink>
              </>
            ) : null}
          </nav>
          <div style={{ flex: 1 }} />
          <LiveMark />
          <SchemeToggle />
          <Bell />
          <AccountMenu me={me} />
        </div>
      </header>
      <main id="content" tabIndex={-1} className={classes.main}>
        <Crash>
          <Suspense fallback={<Waiting />}>
            <Outlet />
          </Suspense>
        </Crash>
      </main>
    </LiveProvider>
  );
}

/** The people have their place at `/admin` itself, and below it one by one. */
function useOnPeople() {
  const { pathname } = useLocation();
  return /^\/admin\/?$/.test(pathname) || pathname.startsWith("/admin/users/");
}

/** With the number of those who ask to be a contact. */
function ContactsLink() {
  const asking = useIncoming();
  return (
    <NavLink to={CONTACTS} className={classes.link}>
      <ContactsIcon size={16} />
      <span className={classes.word}>{texts.contactsLink}</span>
      {asking > 0 ? (
        <span className={classes.count} title={texts.contacts.requests(asking)}>
          {asking}
          <span className="visually-hidden"> {texts.contacts.requests(asking)}</span>
        </span>
      ) : null}
    </NavLink>
  );
}

/** How oneself is shown to others, as far as this page knows. */
function useOwnMark(me: Profile) {
  const pulse = usePulse();
  const mark = availabilityMark(me.availability);
  return pulse === "beating" || mark === "invisible" ? mark : pulse === "retrying" ? "was_online" : "offline";
}

function AccountMenu({ me }: { me: Profile }) {
  const navigate = useNavigate();
  const mark = useOwnMark(me);
  const leave = () => session.logout().catch((error: unknown) => refused(texts.logOut, error));
  return (
    <Menu position="bottom-end" width={250}>
      <Menu.Target>
        <Button
          variant="default"
          size="sm"
          px="sm"
          leftSection={
            <span className={classes.own}>
              <PersonIcon size={16} />
              <Dot presence={mark} />
            </span>
          }
          aria-label={texts.accountMenu(me.username)}
          title={texts.presence[mark]}
          classNames={{ section: classes.person, label: classes.name }}
        >
          {me.username}
        </Button>
      </Menu.Target>
      <Menu.Dropdown>
        <AvailabilityItems me={me} />
        <Menu.Divider />
        <Menu.Item leftSection={<PersonIcon size={16} />} onClick={() => navigate("/me")}>
          {texts.myAccount}
        </Menu.Item>
        <Menu.Divider />
        <Menu.Item leftSection={<LeaveIcon size={16} />} onClick={() => leave()}>
          {texts.logOut}
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}

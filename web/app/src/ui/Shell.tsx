import { Button, Menu } from "@mantine/core";
import { Suspense } from "react";
import { NavLink, Outlet, useNavigate } from "react-router";
import type { Profile } from "../api/types";
import { session } from "../session";
import { texts } from "../texts";
import { Crash } from "./Crash";
import { LeaveIcon, PeopleIcon, PersonIcon } from "./icons";
import { Logo } from "./Logo";
import { Waiting } from "./Page";
import { SchemeToggle } from "./SchemeToggle";
import classes from "./Shell.module.css";
import { refused } from "./notify";

/** What stands around every page of somebody who is logged in. */
export function Shell({ me }: { me: Profile }) {
  return (
    <>
      <a href="#content" className={classes.skip}>
        {texts.skipToContent}
      </a>
      <header className={classes.header}>
        <div className={classes.bar}>
          <Logo />
          <nav className={classes.nav} aria-label={texts.navigation}>
            {me.role === "admin" ? (
              <NavLink to="/admin" className={classes.link}>
                <PeopleIcon size={16} />
                {texts.people}
              </NavLink>
            ) : null}
          </nav>
          <div style={{ flex: 1 }} />
          <SchemeToggle />
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
    </>
  );
}

function AccountMenu({ me }: { me: Profile }) {
  const navigate = useNavigate();
  const leave = () => session.logout().catch((error: unknown) => refused(texts.logOut, error));
  return (
    <Menu position="bottom-end" width={210}>
      <Menu.Target>
        <Button
          variant="default"
          size="sm"
          px="sm"
          leftSection={<PersonIcon size={16} />}
          aria-label={texts.accountMenu(me.username)}
          classNames={{ section: classes.person, label: classes.name }}
        >
          {me.username}
        </Button>
      </Menu.Target>
      <Menu.Dropdown>
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

import type { User } from "../../../api/types";
import { texts } from "../../../texts";
import { DotsIcon } from "../../../ui/icons";
import { confirmAction } from "./ConfirmAction";
import { offers, verb } from "./offers";
import classes from "./RowActions.module.css";
import { useRowMenu } from "./RowMenu";

/** The likeliest action as a button, the others in a menu. Each asks before it is done. */
export function RowActions({ user, myId }: { user: User; myId: number }) {
  const openMenu = useRowMenu();
  const [first] = offers(user, myId);
  return (
    <>
      {first ? (
        <button
          type="button"
          className={classes.first}
          onClick={() => confirmAction(first, user)}
          aria-label={texts.actions.confirm(verb(first, user), user.username)}
        >
          {verb(first, user)}
        </button>
      ) : null}
      <button
        type="button"
        className={classes.more}
        onClick={(event) => openMenu(user, event.currentTarget)}
        aria-haspopup="menu"
        aria-expanded="false"
        aria-label={texts.actions.more(user.username)}
      >
        <DotsIcon />
      </button>
    </>
  );
}

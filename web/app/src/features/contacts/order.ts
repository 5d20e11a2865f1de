// How contacts stand in their list. Pure.

import type { Contact } from "../../api/types";
import type { Heard } from "../../live/store";

/** Contacts as they are known to be now: what was heard since the list was asked for is younger. */
export function contactsOverlaid(contacts: readonly Contact[], askedAt: number, look: (id: number) => Heard | undefined): Contact[] {
  return contacts.map((contact) => {
    const heard = contact.state === "accepted" ? look(contact.user_id) : undefined;
    return heard && heard.at >= askedAt ? { ...contact, presence: heard.presence } : contact;
  });
}

/** Those of a state: who is online first, and then by name. */
export function inState(contacts: readonly Contact[], state: Contact["state"]): Contact[] {
  const online = ({ presence }: Contact) => Number(state === "accepted" && presence.online_status === "online");
  return contacts
    .filter((contact) => contact.state === state)
    .sort((one, other) => online(other) - online(one) || one.username.localeCompare(other.username));
}

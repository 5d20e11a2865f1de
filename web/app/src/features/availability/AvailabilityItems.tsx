import { Menu } from "@mantine/core";
import { modals } from "@mantine/modals";
import { lazy, Suspense } from "react";
import type { Availability, Profile } from "../../api/types";
import { availabilityMark } from "../../lib/presence";
import { momentWords } from "../../lib/time";
import { texts } from "../../texts";
import { ChoiceItem } from "../../ui/ChoiceItem";
import { SmileIcon } from "../../ui/icons";
import { refused } from "../../ui/notify";
import { Dot } from "../../ui/Presence";
import { Waiting } from "../../ui/Page";
import classes from "./Availability.module.css";
import { useChangeMine } from "./useAvailability";

const StatusForm = lazy(() => import("./StatusForm"));

const choices: Availability[] = ["available", "away", "dnd", "invisible"];

/** The part of one's own menu in which one says how available one is. */
export function AvailabilityItems({ me }: { me: Profile }) {
  const change = useChangeMine();
  const chosen = me.chosen_availability;
  const byItself = chosen === "available" && me.availability === "away";
  const choose = (availability: Availability) =>
    change({ availability }).catch((error: unknown) => refused(texts.availability.refused, error));

  return (
    <>
      <Menu.Label>{texts.availability.choose}</Menu.Label>
      {choices.map((each) => (
        <ChoiceItem
          key={each}
          checked={each === chosen}
          choose={() => void choose(each)}
          icon={<Dot presence={availabilityMark(each)} />}
          title={texts.availability.hints[each]}
        >
          {texts.availability.names[each]}
          {each === chosen && byItself ? <span className={classes.aside}> {texts.availability.awayByItself}</span> : null}
          {each === chosen && me.until ? <span className={classes.aside}> {texts.availability.until(momentWords(me.until))}</span> : null}
        </ChoiceItem>
      ))}
      <Menu.Item leftSection={<SmileIcon size={16} />} onClick={() => openStatusForm(me)}>
        <span className={classes.words}>
          {me.text || me.emoji ? [me.emoji, me.text].filter(Boolean).join(" ") : texts.availability.words}
        </span>
      </Menu.Item>
    </>
  );
}

function openStatusForm(me: Profile) {
  const id = modals.open({
    title: texts.availability.wordsTitle,
    children: (
      <Suspense fallback={<Waiting />}>
        <StatusForm me={me} close={() => modals.close(id)} />
      </Suspense>
    ),
  });
}

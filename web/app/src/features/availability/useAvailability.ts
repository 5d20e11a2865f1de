import { useQueryClient } from "@tanstack/react-query";
import { changeMyLive } from "../../api/live-calls";
import type { OwnLiveChanges } from "../../api/live-types";
import { keys } from "../../api/keys";

/** Changes what one says of oneself. Throws `Problem` or `Unreachable`. */
export function useChangeMine() {
  const queries = useQueryClient();
  return async (changes: OwnLiveChanges) => {
    const me = await changeMyLive(changes);
    // One that was asked for before would bring back what was.
    await queries.cancelQueries({ queryKey: keys.me });
    queries.setQueryData(keys.me, me);
    return me;
  };
}

import { useQueryClient } from "@tanstack/react-query";
import { changeMe, type MyChanges } from "../../api/calls";
import { keys } from "../../api/keys";

/** Changes what one says of oneself. Throws `Problem` or `Unreachable`. */
export function useChangeMine() {
  const queries = useQueryClient();
  return async (changes: MyChanges) => {
    const me = await changeMe(changes);
    // One that was asked for before would bring back what was.
    await queries.cancelQueries({ queryKey: keys.me });
    queries.setQueryData(keys.me, me);
    return me;
  };
}

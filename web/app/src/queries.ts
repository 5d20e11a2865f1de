import { QueryClient } from "@tanstack/react-query";
import { Problem } from "./api/problem";
import { conditional } from "./api/calls";
import { session } from "./session";

export const queries = new QueryClient({
  defaultOptions: {
    queries: {
      // The browser's idea of being online can be wrong; the server's answer is what counts.
      networkMode: "always",
      refetchOnWindowFocus: true,
      retry: (failures, error) => failures < 1 && !(error instanceof Problem && error.status < 500),
      retryDelay: 500,
    },
    mutations: { networkMode: "always" },
  },
});

/** Nothing of what was shown stays when the log-in ends or is another's. */
export function forgetOnLogout() {
  let { id } = session.state();
  session.subscribe(() => {
    const before = id;
    id = session.state().id;
    if (before === null || before === id) return;
    conditional.clear();
    queries.clear();
  });
}

import createClient from "openapi-fetch";
import { session } from "../session";
import { noteServerTime } from "../lib/clock";
import type { paths } from "./schema";

/** What is asked for: some answers come as CSV, too. */
type Json = "application/json" | "application/problem+json";

/** Calls that need a log-in. */
export const api = createClient<paths, Json>({
  baseUrl: window.location.origin,
  // The browser keeps no copy of answers: nothing is to be read after log-out, and ETags are handled here.
  cache: "no-store",
  fetch: async (request) => {
    const sent = Date.now();
    const response = await session.fetch(request);
    noteServerTime(response.headers.get("Date"), sent, Date.now());
    return response;
  },
});

/** Calls that anyone may make. */
export const openApi = createClient<paths, Json>({ baseUrl: window.location.origin, cache: "no-store" });

import { useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";
import { keys } from "../api/keys";
import type { Profile } from "../api/types";
import { serverNow } from "../lib/clock";

const LONGEST_MS = 2 ** 31 - 1;

/** One's own availability may end by itself: then the profile is asked for again. */
export function useEndOfChoice({ until }: Profile) {
  const queries = useQueryClient();
  useEffect(() => {
    if (!until) return;
    const ms = Date.parse(until) - serverNow() + 300;
    if (ms > LONGEST_MS) return;
    const timer = setTimeout(() => void queries.invalidateQueries({ queryKey: keys.me }), Math.max(300, ms));
    return () => clearTimeout(timer);
  }, [until, queries]);
}

import { useCallback } from "react";
import type { Doing } from "../state/doing.ts";
import { usePage } from "../state/page.ts";
import { useStore } from "../state/store.ts";

/** Whether the agent is at work on a box, or was a moment ago. @param box `node web`, `network lan` */
export function useAtWork(box: string): boolean {
  const { doing } = usePage();
  return useStore(
    doing,
    useCallback((now: Doing | undefined) => now?.about.has(box) ?? false, [box]),
  );
}

import type { Changes } from "@switchyard/yard/store";
import { counted } from "./render/duration.ts";

/** `2 networks, 6 nodes added, 1 node removed`; undefined when nothing has changed. */
export function changesText({ added, changed, removed }: Changes): string | undefined {
  const parts = [
    [added, "added"],
    [changed, "changed"],
    [removed, "removed"],
  ] as const;
  const texts = parts.flatMap(([list, verb]) => (list.length === 0 ? [] : [`${countsOf(list)} ${verb}`]));
  return texts.length === 0 ? undefined : texts.join(", ");
}

function countsOf(list: Changes["added"]): string {
  const kinds = (["network", "bridge", "link", "node"] as const).map(
    (what) => [what, list.filter((it) => it.what === what).length] as const,
  );
  return kinds.flatMap(([what, count]) => (count === 0 ? [] : [counted(count, what)])).join(", ");
}

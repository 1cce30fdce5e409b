import type { ImpairView } from "@switchyard/yard/view";
import type { Style } from "./style.ts";
import { pairs } from "./table.ts";

/** What befalls the frames of a nic or link, a line each way. */
export function renderImpair(
  name: string,
  impair: ImpairView | null,
  [forward, backward]: readonly [string, string],
  style: Style,
): string[] {
  if (impair === null) return [`${style.bold(name)} is not impaired`];
  const by = impair.by === null ? "" : ` (${impairedByText(impair.by)})`;
  return [
    `${style.bold(name)} is impaired${by}`,
    ...pairs(
      [
        [`  ${forward}`, settingsText(impair.forward)],
        [`  ${backward}`, settingsText(impair.backward)],
      ],
      style,
    ),
  ];
}

function settingsText(settings: Readonly<Record<string, string>>): string {
  const words = Object.entries(settings).map(([setting, value]) => `${setting} ${value}`);
  return words.length === 0 ? "as it comes" : words.join(", ");
}

function impairedByText(by: NonNullable<ImpairView["by"]>): string {
  switch (by) {
    case "netem":
      return "by netem, in the kernel";
    case "relay":
      return "by the yard's relay, in userspace";
  }
}

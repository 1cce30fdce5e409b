import type { Finding } from "@switchyard/yard/doctor";
import type { Style } from "./style.ts";
import { pad } from "./style.ts";

/** `yard doctor`: a line for each finding, its remedy below it, and a verdict. */
export function renderFindings(findings: readonly Finding[], style: Style): string[] {
  const width = Math.max(...findings.map(({ name }) => name.length));
  const out = findings.flatMap(({ name, state, found, purpose, remedy, essential }) => [
    `${mark(state, essential, style)} ${style.bold(pad(name, width))}  ${found}`,
    ...(state === "ok" ? [] : [`  ${" ".repeat(width)}  ${style.dim(`for ${purpose}`)}`]),
    ...(remedy === undefined ? [] : [`  ${" ".repeat(width)}  ${style.cyan("=")} ${remedy}`]),
  ]);
  const lacking = findings.filter(({ state, essential }) => essential && state === "missing");
  return [
    ...out,
    "",
    lacking.length === 0
      ? style.green("this host can run Switchyard")
      : style.red(`this host cannot run Switchyard yet: ${lacking.map(({ name }) => name).join(", ")}`),
  ];
}

function mark(state: Finding["state"], essential: boolean, style: Style): string {
  switch (state) {
    case "ok":
      return style.green("✓");
    case "limited":
      return style.yellow("-");
    case "missing":
      return essential ? style.red("✗") : style.yellow("-");
  }
}

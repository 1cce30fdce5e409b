import type { CheckResult } from "@switchyard/yard/checks";
import { counted, took } from "./duration.ts";
import type { Style } from "./style.ts";
import { table } from "./table.ts";

/** `yard check`: a table of all checks, and a line that sums them up. */
export function renderChecks(results: readonly CheckResult[], milliseconds: number, style: Style): string[] {
  if (results.length === 0) return ["no checks"];
  const failed = results.filter(({ ok }) => !ok).length;
  const several = new Set(results.map(({ lab }) => lab)).size > 1;
  const summary = `${results.length - failed} of ${counted(results.length, "check")} as expected (${took(milliseconds)})`;
  return [
    ...table(
      [
        { heading: "", cell: ({ ok }) => (ok ? style.green("✓") : style.red("✗")) },
        ...(several ? [{ heading: "lab", cell: ({ lab }: CheckResult) => lab }] : []),
        { heading: "check", cell: ({ name }) => name },
        { heading: "expected", cell: ({ expect }) => expect },
        { heading: "found", cell: ({ ok, found }) => (ok ? found : style.red(found)) },
        { heading: "took", cell: (result) => took(result.milliseconds), align: "right" },
      ],
      results,
      style,
    ),
    "",
    failed === 0 ? style.green(summary) : style.red(summary),
  ];
}

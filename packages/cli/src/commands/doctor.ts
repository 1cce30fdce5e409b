import { examineHost } from "@switchyard/yard/doctor";
import { yardPaths } from "@switchyard/yard/paths";
import type { Command } from "commander";
import { examples, JSON_HELP } from "../help.ts";
import { renderFindings } from "../render/doctor.ts";
import { type CommonOptions, print, printJson, type Session, yardName } from "../session.ts";

/** `yard doctor` */
export function define(command: Command, session: Session): void {
  command
    .description(
      "Tell what this host has and lacks, by trying it, and what to do about it. Nothing that it tries\n" +
        "stays behind. Exit code 1 only when something is missing that everything needs.",
    )
    .option("--json", JSON_HELP)
    .action(async (options: CommonOptions) => {
      const findings = await examineHost(yardPaths(yardName(command, session.env), session.env), session);
      if (options.json) printJson(session, findings);
      else print(session, ...renderFindings(findings, session.style));
      if (findings.some(({ essential, state }) => essential && state === "missing")) session.exitCode = 1;
    });
  examples(
    command,
    ["sudo yard doctor", "try everything"],
    ["yard doctor --json | jq -r '.[] | select(.state != \"ok\") | .remedy'", "only what to do"],
  );
}

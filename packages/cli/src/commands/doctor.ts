import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createLogger } from "@switchyard/base/log";
import { type Accelerator, openEngine, openVmEngine } from "@switchyard/runtime";
import { yardPaths } from "@switchyard/yard/paths";
import type { Command } from "commander";
import { acceleratorExamination, engineExaminations } from "../doctor/engines.ts";
import { examine, type Finding } from "../doctor/finding.ts";
import { examineKernel, hostExaminations } from "../doctor/kernel.ts";
import { programExaminations } from "../doctor/programs.ts";
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
      const findings = await examineAll(session, yardName(command, session.env));
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

async function examineAll(session: Session, yard: string): Promise<Finding[]> {
  const [host, programs, kernel, engines, kvm] = await Promise.all([
    Promise.all(hostExaminations.map(examine)),
    Promise.all(programExaminations.map(examine)),
    examineKernel(),
    Promise.all(engineExaminations((kind) => probeEngine(session, yard, kind)).map(examine)),
    examine(acceleratorExamination(() => probeAccelerator(session))),
  ]);
  return [...host.slice(0, 1), ...kernel, ...programs, ...engines, kvm, ...host.slice(1)];
}

/** Tries anew, in a folder of its own: what a yard has noted may be of another user. */
async function probeAccelerator({ signal }: Session): Promise<Accelerator> {
  const folder = mkdtempSync(join(tmpdir(), "yard-doctor-"));
  try {
    await using engine = await openVmEngine({
      stateDir: folder,
      runDir: folder,
      log: createLogger("doctor", "silent"),
    });
    return (await engine.probe(signal)).accelerator;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Asks an engine as a yard would; folders that do not exist yet stay so. */
async function probeEngine(session: Session, yard: string, kind: "oci" | "docker" | "podman"): Promise<string> {
  const paths = yardPaths(yard, session.env);
  const address =
    kind === "docker" ? session.env.DOCKER_HOST : kind === "podman" ? session.env.CONTAINER_HOST : undefined;
  await using engine = await openEngine(kind, {
    ...(address === undefined ? {} : { address }),
    stateDir: `${paths.state}/${kind}`,
    runDir: `${paths.run}/${kind}`,
    imageDir: paths.images,
    log: createLogger("doctor", "silent"),
  });
  return await engine.probe(session.signal);
}

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createLogger } from "@switchyard/base/log";
import { type Accelerator, openEngine, openVmEngine } from "@switchyard/runtime";
import type { YardPaths } from "../agent/paths.ts";
import { acceleratorExamination, engineExaminations } from "./engines.ts";
import { examine, type Finding } from "./finding.ts";
import { examineKernel, hostExaminations } from "./kernel.ts";
import { programExaminations } from "./programs.ts";

/** Who asks: what says which engines are meant, and when it is no longer wanted. */
interface Caller {
  readonly env: NodeJS.ProcessEnv;
  readonly signal: AbortSignal;
}

/** What a host has and lacks, all of it tried. Nothing that is tried stays behind. */
export async function examineHost(paths: YardPaths, caller: Caller): Promise<Finding[]> {
  const [host, programs, kernel, engines, kvm] = await Promise.all([
    Promise.all(hostExaminations.map(examine)),
    Promise.all(programExaminations.map(examine)),
    examineKernel(),
    Promise.all(engineExaminations((kind) => probeEngine(paths, caller, kind)).map(examine)),
    examine(acceleratorExamination(() => probeAccelerator(caller))),
  ]);
  return [...host.slice(0, 1), ...kernel, ...programs, ...engines, kvm, ...host.slice(1)];
}

/** Tries anew, in a folder of its own: what a yard has noted may be of another user. */
async function probeAccelerator({ signal }: Caller): Promise<Accelerator> {
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
async function probeEngine(
  paths: YardPaths,
  { env, signal }: Caller,
  kind: "oci" | "docker" | "podman",
): Promise<string> {
  const address = kind === "docker" ? env.DOCKER_HOST : kind === "podman" ? env.CONTAINER_HOST : undefined;
  await using engine = await openEngine(kind, {
    ...(address === undefined ? {} : { address }),
    stateDir: `${paths.state}/${kind}`,
    runDir: `${paths.run}/${kind}`,
    imageDir: paths.images,
    log: createLogger("doctor", "silent"),
  });
  return await engine.probe(signal);
}

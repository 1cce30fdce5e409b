/** A Docker engine of a test's own, a yard of its own, and `ec` that works on both. */
import { join } from "node:path";
import { childEnvironment, run, tryRun } from "@switchyard/base";
import { type DockerEngine, patience, startDockerEngine, temporaryFolder, YARD_COMMAND } from "@switchyard/testing";

export const LIMIT = patience(60_000);

export class EcSite implements AsyncDisposable {
  private constructor(
    readonly yardName: string,
    readonly engine: DockerEngine,
    readonly env: Readonly<Record<string, string>>,
    readonly runDir: string,
    readonly folder: string,
    private readonly stack: AsyncDisposableStack,
  ) {}

  static async create(): Promise<EcSite> {
    await using stack = new AsyncDisposableStack();
    const { path } = stack.use(await temporaryFolder("tslots-"));
    const engine = stack.use(await startDockerEngine());
    const yard = `tslotse${process.pid}`;
    const env = {
      ...childEnvironment(),
      SWITCHYARD_RUN_DIR: join(path, "run"),
      SWITCHYARD_STATE_DIR: join(path, "state"),
      SWITCHYARD_YARD: yard,
      DOCKER_HOST: engine.address,
    };
    return new EcSite(yard, engine, env, join(path, "run", yard), path, stack.move());
  }

  /** Runs `ec …`; the name that a program is called by is its first argument. */
  async ec(...argv: readonly string[]): Promise<{ readonly code: number; readonly out: string; readonly err: string }> {
    const call = ["bash", "-c", 'exec -a ec "$@"', "ec", ...YARD_COMMAND, ...argv] as const;
    const { code, stdout, stderr } = await tryRun([...call], { env: this.env, timeout: LIMIT });
    return { code, out: stdout, err: stderr };
  }

  yard(...argv: readonly string[]): Promise<string> {
    return run([...YARD_COMMAND, "-y", this.yardName, ...argv], { env: this.env, timeout: LIMIT });
  }

  docker(...argv: readonly string[]): Promise<string> {
    return run(["docker", "-H", this.engine.address, ...argv], { timeout: LIMIT }).then((text) => text.trim());
  }

  ofctl(...argv: readonly string[]): Promise<string> {
    const [verb = "", bridge = "", ...rest] = argv;
    return run(["ovs-ofctl", verb, `unix:${this.runDir}/${bridge}.mgmt`, ...rest]);
  }

  vsctl(...argv: readonly string[]): Promise<string> {
    return run(["ovs-vsctl", `--db=unix:${this.runDir}/db.sock`, `--timeout=${patience(10)}`, ...argv]).then((text) =>
      text.trim(),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ids = (await this.docker("ps", "-aq")).split("\n").filter((id) => id !== "");
    if (ids.length > 0) await this.docker("rm", "-f", ...ids);
    await this.yard("down", "--all");
    await this.stack.disposeAsync();
  }
}

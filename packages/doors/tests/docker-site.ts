/** A Docker engine of a test's own, a yard of its own, and the driver between them. */
import { afterAll, beforeAll } from "bun:test";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { childEnvironment, run, tryRun } from "@switchyard/base";
import { deleteNamespaces, listNamespaces } from "@switchyard/linux";
import {
  type DockerEngine,
  expectSameMachine,
  type Machine,
  processes,
  requires,
  snapshotMachine,
  startDockerEngine,
  temporaryFolder,
  YARD_COMMAND,
} from "@switchyard/testing";
import { z } from "zod";

/** An HTTP server that serves its host name, at the root: image and command. */
export const SERVER = ["busybox", "sh", "-c", "hostname >/www/index.html; exec httpd -f -h /www"];

const viewSchema = z.object({
  nodes: z.array(
    z.looseObject({
      name: z.string(),
      nics: z.array(z.looseObject({ network: z.string().nullable(), addresses: z.array(z.string()) })),
    }),
  ),
  networks: z.array(z.looseObject({ name: z.string(), gateway: z.array(z.string()) })),
});
const agentSchema = z.looseObject({ agent: z.number().nullable() });
type View = z.infer<typeof viewSchema>;
type NodeView = View["nodes"][number];
type NetworkView = View["networks"][number];

let made = 0;

/** Whether these tests can run here. */
export const dockerReady = requires("root", "openvswitch", "docker-engine", "busybox", "nftables");

/** Milliseconds that a site may take to come, or to go with all that is on it. */
const SITE_LIMIT = 90_000;

/** A site for the tests of one `describe`; when they are done the machine is compared with what it was. */
export function testSite(options: SiteOptions = {}): () => DockerSite {
  let before: Machine | undefined;
  let site: DockerSite | undefined;
  beforeAll(async () => {
    before = await snapshotMachine();
    site = await DockerSite.create(options);
  }, SITE_LIMIT);
  afterAll(async () => {
    await site?.[Symbol.asyncDispose]();
    if (before && site) await expectSameMachine(before, { ours: new RegExp(site.driver), timeout: 10_000 });
  }, SITE_LIMIT);
  return () => {
    if (site === undefined) throw new Error("the site has not come about");
    return site;
  };
}

interface SiteOptions {
  /** Containers run on while the engine restarts. */
  readonly liveRestore?: boolean;
}

export class DockerSite implements AsyncDisposable {
  #driver: ChildProcess | undefined;
  /** Called when the driver has been asked for something, and is at it. */
  onAsked: (method: string) => void = () => {};

  private constructor(
    /** Also the yard's name. */
    readonly driver: string,
    readonly engine: DockerEngine,
    readonly folder: string,
    readonly env: Readonly<Record<string, string>>,
    private readonly stack: AsyncDisposableStack,
  ) {}

  static async create(options: SiteOptions): Promise<DockerSite> {
    await using stack = new AsyncDisposableStack();
    const { path } = stack.use(await temporaryFolder("tslots-"));
    const driver = `tslots${process.pid}-${made++}`;
    const env = {
      ...childEnvironment(),
      SWITCHYARD_RUN_DIR: join(path, "run"),
      SWITCHYARD_STATE_DIR: join(path, "state"),
    };
    stack.defer(
      async () => void (await run([...YARD_COMMAND, "-y", driver, "down", "--all"], { env, timeout: 60_000 })),
    );
    const engine = stack.use(await startDockerEngine(options));
    const site = new DockerSite(driver, engine, path, env, stack.move());
    await site.startDriver();
    return site;
  }

  async startDriver(): Promise<void> {
    const [program, ...argv] = YARD_COMMAND;
    const child = spawn(
      program,
      [
        ...argv,
        "-y",
        this.driver,
        "docker-driver",
        "--name",
        this.driver,
        "--engine",
        this.engine.address,
        "--announce",
      ],
      {
        env: { ...this.env, SWITCHYARD_LOG: "debug" },
        stdio: ["ignore", "pipe", "pipe"],
      },
    );
    this.#driver = child;
    createInterface({ input: child.stderr }).on("line", (line) => {
      const method = /"method":"([^"]+)".*"msg":"asked"/.exec(line)?.[1];
      if (method !== undefined) this.onAsked(method);
    });
    await once(createInterface({ input: child.stdout }), "line");
  }

  async stopDriver(signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
    const child = this.#driver;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, "exit");
    child.kill(signal);
    await ended;
  }

  /** Ends the yard's agent at once. */
  async killAgent(): Promise<void> {
    const { agent } = agentSchema.parse(JSON.parse(await this.yard("ps", "--json")));
    if (agent !== null) process.kill(agent, "SIGKILL");
  }

  /**
   * What a reboot does to the yard: all its processes and namespaces are gone, and what is in /run. Its database is there.
   */
  async powerOff(): Promise<void> {
    await this.stopDriver("SIGKILL");
    const ours = processes().filter(({ command }) => command.includes(this.folder) || command.includes(this.driver));
    for (const { pid } of ours) process.kill(pid, "SIGKILL");
    deleteNamespaces(listNamespaces().filter((name) => name.startsWith(`yard_${this.driver}`)));
    rmSync(join(this.folder, "run"), { recursive: true, force: true });
  }

  /** @throws Error with all that it says: why it failed stands before a hint to its help */
  async docker(...argv: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await tryRun(["docker", "-H", this.engine.address, ...argv], { timeout: 60_000 });
    if (code !== 0) throw new Error(`docker ${argv.join(" ")} ended with ${code}: ${stderr}`);
    return stdout.trim();
  }

  yard(...argv: readonly string[]): Promise<string> {
    return run([...YARD_COMMAND, "-y", this.driver, ...argv], { env: this.env, timeout: 60_000 });
  }

  /** What a container on that network gets for a URL. */
  fetchIn(network: string, url: string): Promise<string> {
    return this.docker("run", "--rm", "--network", network, "busybox", "wget", "-qO-", url);
  }

  async nodes(): Promise<readonly NodeView[]> {
    return viewSchema.parse(JSON.parse(await this.yard("ps", "--json"))).nodes;
  }

  async networks(): Promise<readonly NetworkView[]> {
    return viewSchema.parse(JSON.parse(await this.yard("ps", "--json"))).networks;
  }

  /** The yard goes even where the engine has gone before. */
  async [Symbol.asyncDispose](): Promise<void> {
    try {
      const names = (await this.docker("ps", "-aq")).split("\n").filter((id) => id !== "");
      if (names.length > 0) await this.docker("rm", "-f", ...names);
      const networks = await this.docker("network", "ls", "-q", "--filter", `driver=${this.driver}`);
      for (const id of networks.split("\n").filter((one) => one !== "")) await this.docker("network", "rm", id);
    } finally {
      await this.stopDriver();
      await this.stack.disposeAsync();
    }
  }
}

/** An Open vSwitch of the host's own, started as its service would, where the host has none that runs. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { backoff, delay, run, tryRun } from "@switchyard/base";
import { endProcess, identify, lockFile } from "@switchyard/linux";
import { SWITCH_SCHEMA } from "@switchyard/vswitch";

const FOLDER = "/var/run/openvswitch";
const SOCKET = `${FOLDER}/db.sock`;
/** Begins the line that says why tests were skipped. */
const SKIP_LINE = "skipped here:";
type Program = "ovs-vswitchd" | "ovsdb-server";
const daemons: readonly Program[] = ["ovs-vswitchd", "ovsdb-server"];

/** Milliseconds that another run may take. */
export const TURN_LIMIT = 180_000;

/** The bridge that no yard may touch, and the usual name of its port. */
const BRIDGE = "tsys-br";
const PORT = "tsys-port";

/**
 * Whether this host has room for such a switch. Where it runs one of its own, or another run of these tests does, they
 * are skipped with the reason; under `CI=true` that is a failure.
 */
export function hostSwitchFree(): boolean {
  const reason = existsSync(SOCKET)
    ? "an Open vSwitch runs on this host, which these tests would have to stop"
    : existsSync("/sys/class/net/ovs-netdev")
      ? "a userspace switch works in this host's namespace"
      : undefined;
  if (reason === undefined) return true;
  if (process.env.CI === "true") throw new Error(`these tests cannot run: ${reason}`);
  process.stderr.write(`${SKIP_LINE} ${reason}\n`);
  return false;
}

/** Waits for its turn: a host has one such switch, and one system yard, for all that run these tests. */
export async function hostSwitchTurn(): Promise<Disposable> {
  const until = Date.now() + TURN_LIMIT;
  for (const wait of backoff(50, 1_000)) {
    const held = lockFile("/run/lock/switchyard-tests");
    if (held) return held;
    if (Date.now() > until) break;
    await delay(wait);
  }
  throw new Error("another run of these tests has the host's switch");
}

/** With a bridge and a port that are somebody else's. */
export class HostSwitch implements AsyncDisposable {
  readonly #folder = mkdtempSync(join(tmpdir(), "tsystem-"));
  readonly #madeFolder = !existsSync(FOLDER);

  private constructor(readonly port: string) {}

  /**
   * @param tso whether its userspace datapath keeps segments whole
   * @param port the name of the port that is somebody else's
   */
  static async start(tso: boolean, port = PORT): Promise<HostSwitch> {
    const it = new HostSwitch(port);
    try {
      mkdirSync(FOLDER, { recursive: true });
      await run(["ovsdb-tool", "create", it.#database, SWITCH_SCHEMA]);
      await it.#startDatabase();
      await vsctl("--no-wait", "init");
      await vsctl("--no-wait", "set", "Open_vSwitch", ".", `other_config:userspace-tso-enable=${tso}`);
      await it.#startDaemon();
      await vsctl("add-br", BRIDGE, "--", "set", "Bridge", BRIDGE, "datapath_type=netdev", "external_ids:whose=theirs");
      await vsctl("add-port", BRIDGE, port, "--", "set", "Interface", port, "type=internal");
      return it;
    } catch (error) {
      await it[Symbol.asyncDispose]();
      throw error;
    }
  }

  get #database(): string {
    return join(this.#folder, "conf.db");
  }

  /** Ends and starts it as `systemctl restart` does, on the configuration that it has. */
  async restart(tso?: boolean): Promise<void> {
    if (tso !== undefined)
      await vsctl("--no-wait", "set", "Open_vSwitch", ".", `other_config:userspace-tso-enable=${tso}`);
    await this.stop();
    await this.#startDatabase();
    await this.#startDaemon();
  }

  async stop(programs: readonly Program[] = daemons): Promise<void> {
    for (const program of programs) {
      const id = identify(pidOf(program) ?? 0);
      if (id !== undefined) await endProcess(id, 5_000);
    }
  }

  /** What it is and has: its process, and who made which row. */
  async look() {
    const rows = ["Bridge", "Port", "Interface"].map((table) =>
      vsctl("--columns=_uuid,name,external_ids", "--format=csv", "--no-headings", "list", table),
    );
    const listed = (await Promise.all(rows)).flatMap((text) => text.trim().split("\n").sort());
    return { pid: pidOf("ovs-vswitchd"), rows: listed };
  }

  async #startDatabase(): Promise<void> {
    const remote = `--remote=punix:${SOCKET}`;
    await run(["ovsdb-server", this.#database, remote, ...this.#daemonOptions("ovsdb-server")]);
  }

  async #startDaemon(): Promise<void> {
    await run(["ovs-vswitchd", `unix:${SOCKET}`, ...this.#daemonOptions("ovs-vswitchd")]);
  }

  #daemonOptions(program: string): string[] {
    const log = `--log-file=${join(this.#folder, `${program}.log`)}`;
    return ["--no-chdir", "--detach", `--pidfile=${FOLDER}/${program}.pid`, "-vconsole:off", "-vsyslog:off", log];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    // A userspace switch leaves its taps for its successor.
    for (const tap of ["ovs-netdev", BRIDGE, this.port]) await tryRun(["ip", "link", "delete", tap]);
    if (this.#madeFolder) rmSync(FOLDER, { recursive: true, force: true });
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

function pidOf(program: Program): number | undefined {
  const file = `${FOLDER}/${program}.pid`;
  return existsSync(file) ? Number(readFileSync(file, "utf8")) : undefined;
}

function vsctl(...args: string[]): Promise<string> {
  return run(["ovs-vsctl", "--timeout=10", ...args]);
}

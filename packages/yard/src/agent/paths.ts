import { isAbsolute, join } from "node:path";
import { YardError } from "@switchyard/base";

/** Where a yard keeps what it has; all absolute. */
export interface YardPaths {
  readonly yard: string;
  /** The network namespace of its switch. */
  readonly namespace: string;
  /** Gone after a reboot: sockets, pid files, logs, the switch's own database. */
  readonly run: string;
  /** Kept over a reboot: the Switchyard database, container layers. */
  readonly state: string;
  /** The database server's socket; it serves `Switchyard` and, for a private yard, `Open_vSwitch`. */
  readonly databaseSocket: string;
  readonly database: string;
  readonly switchDatabase: string;
  readonly agentSocket: string;
  readonly agentLog: string;
  /** Held with flock(2) by the agent for as long as it lives. */
  readonly lock: string;
  /** Image folders and archives, shared by all yards of the host. */
  readonly images: string;
}

/** The yard whose switch is the host's own. */
export const SYSTEM_YARD = "system";
/** Where a host's own Open vSwitch listens. */
export const SYSTEM_SWITCH = "unix:/var/run/openvswitch/db.sock";
/** What the tables in nftables and the namespaces of yards begin with. */
export const OWN_PREFIX = "yard_";

/** The yards that cloonix's commands work on: that of the net `nemo` is `cloonix-nemo`. */
export const CLOONIX_PREFIX = "cloonix-";

/**
 * The network namespace of a yard's switch, `yard_<yard>`; that of `cloonix-<net>` is `cloonix_<net>`. Those of its nodes
 * begin with it, and an underscore parts it from the node's name.
 */
export function yardNamespace(yard: string): string {
  if (yard.startsWith(CLOONIX_PREFIX)) return `cloonix_${yard.slice(CLOONIX_PREFIX.length)}`;
  return `${OWN_PREFIX}${yard}`;
}

/** Bytes that the path of a socket may have (unix(7)). */
const MOST_SOCKET = 107;

/** What follows the path of a yard's runtime files in that of the files which nodes have in common. */
export const COMMON_SUFFIX = "/etc";

/** What follows the path of a yard's runtime files in that of the files of its dnsmasqs, who read them as nobody. */
export const DNSMASQ_SUFFIX = ".dnsmasq";
/** The same of what its DHCP clients read and write, as nobody. */
export const DHCP_SUFFIX = ".dhcp";

/** Whether a yard can be called so. */
export function isYardName(name: string): boolean {
  // No underscore: it ends the yard's name in the names of namespaces and containers. No dot: what is beside its folders has one.
  return /^[a-z][a-z0-9-]{0,30}$/.test(name);
}

/**
 * The paths of a yard. `SWITCHYARD_RUN_DIR` and `SWITCHYARD_STATE_DIR` replace `/run/switchyard` and
 * `/var/lib/switchyard`.
 *
 * @throws YardError `yard.bad-name`, `yard.bad-folder`
 */
export function yardPaths(name: string, environment: NodeJS.ProcessEnv = process.env): YardPaths {
  if (!isYardName(name))
    throw new YardError(
      "yard.bad-name",
      `"${name}" is not a yard name: a lower-case letter, then letters, digits and -, 31 at most`,
    );
  const run = join(runDirectory(environment), name);
  const state = join(stateDirectory(environment), "yards", name);
  const agentSocket = join(run, "agent.sock");
  if (Buffer.byteLength(agentSocket) > MOST_SOCKET)
    throw new YardError("yard.bad-folder", `the path ${agentSocket} is too long for a socket`, {
      hint: `it has ${MOST_SOCKET} bytes at most: a shorter SWITCHYARD_RUN_DIR, or a shorter name of the yard`,
    });
  return {
    yard: name,
    namespace: yardNamespace(name),
    run,
    state,
    databaseSocket: join(run, "db.sock"),
    database: join(state, "switchyard.db"),
    switchDatabase: join(run, "conf.db"),
    agentSocket,
    agentLog: join(run, "agent.log"),
    lock: join(runDirectory(environment), `${name}.lock`),
    images: imageDirectory(environment),
  };
}

/** Where the switch of a yard listens, for a client of its database. */
export function switchRemote({ yard, databaseSocket }: Pick<YardPaths, "yard" | "databaseSocket">): string {
  return yard === SYSTEM_YARD ? SYSTEM_SWITCH : `unix:${databaseSocket}`;
}

/** The folder of every yard's runtime files. @throws YardError `yard.bad-folder` */
export function runDirectory(environment: NodeJS.ProcessEnv = process.env): string {
  return folder("SWITCHYARD_RUN_DIR", environment) ?? "/run/switchyard";
}

/** The folder of what survives a reboot. @throws YardError `yard.bad-folder` */
export function stateDirectory(environment: NodeJS.ProcessEnv = process.env): string {
  return folder("SWITCHYARD_STATE_DIR", environment) ?? "/var/lib/switchyard";
}

/** The agent has it from its command, but stands in another folder. */
function folder(
  variable: "SWITCHYARD_RUN_DIR" | "SWITCHYARD_STATE_DIR",
  environment: NodeJS.ProcessEnv,
): string | undefined {
  const named = environment[variable] || undefined;
  if (named !== undefined && !isAbsolute(named))
    throw new YardError("yard.bad-folder", `${variable} is ${named}, which is not an absolute path`);
  return named;
}

/** The folder of images, which all yards of the host share. */
export function imageDirectory(environment: NodeJS.ProcessEnv = process.env): string {
  return join(stateDirectory(environment), "images");
}

/** The folder of a switch's sockets, where its daemons are found. */
export function switchRunDir({ yard, run }: Pick<YardPaths, "yard" | "run">): string {
  return yard === SYSTEM_YARD ? "/var/run/openvswitch" : run;
}

/** A switch, containers' namespaces and a plugin to call on them, as a runtime would; all gone in the end. */
import { run } from "@switchyard/base";
import { createNamespaces, deleteNamespaces } from "@switchyard/linux";
import { temporaryFolder } from "@switchyard/testing";
import { type PluginCall, runPlugin, type SwitchPlace } from "../src/cni/mod.ts";
import { caughtUp, type TestSwitch, testSwitch } from "./switch.ts";

/** Where Debian's containernetworking-plugins are. */
export const PLUGINS = "/usr/lib/cni";

export type Conf = { readonly [key: string]: unknown };

/** As far as the tests look at it; which there are they find out. */
export interface Printed {
  readonly cniVersion: string;
  readonly code: number;
  readonly msg: string;
  readonly details: string;
  readonly interfaces: readonly [LinkTold, LinkTold];
  readonly ips: readonly { readonly address: string; readonly gateway: string; readonly interface: number }[];
}

interface LinkTold {
  readonly name: string;
  readonly mac: string;
  readonly sandbox?: string;
  readonly socketPath: string;
}

export interface Answer {
  readonly code: number;
  /** What it printed, a result or an error. */
  readonly json: Printed;
  readonly log: readonly string[];
}

export interface CniSite extends AsyncDisposable {
  readonly sw: TestSwitch;
  readonly folder: string;
  /** A new namespace. @returns its file */
  container(name: string): string;
  /** Calls the plugin in this process. */
  call(command: string, conf: Conf | string, options?: CallOptions): Promise<Answer>;
  /** `ip -json` in a namespace by its file; undefined: in the switch's. */
  ip(netns: string | undefined, ...args: readonly string[]): Promise<readonly unknown[]>;
  /** Every row, device, and allocated address: what must be as before when something was undone. */
  everything(): Promise<unknown>;
  /** An IPAM section of host-local, whose addresses lie in the site's folder. */
  hostLocal(subnet: string, more?: Conf): Conf;
}

export interface CallOptions extends Partial<Pick<PluginCall, "type" | "step" | "timeout" | "sysfs">> {
  readonly id?: string;
  readonly netns?: string;
  readonly ifname?: string;
  readonly args?: string;
  readonly env?: NodeJS.ProcessEnv;
}

/** @param options `vswitchd`: false where the test starts another one */
export async function cniSite(options: { readonly vswitchd?: boolean } = {}): Promise<CniSite> {
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(await temporaryFolder("tdoors-")).path;
  const sw = stack.use(await testSwitch(options));
  const spaces: string[] = [];
  stack.defer(() => void deleteNamespaces(spaces));
  const place: SwitchPlace = { ...sw.place, finishesPackets: () => true };
  const owned = stack.move();
  return {
    sw,
    folder,
    container(name) {
      const space = `${sw.namespace}_${name}`;
      spaces.push(space);
      createNamespaces([space]);
      return `/run/netns/${space}`;
    },
    async call(command, conf, options = {}) {
      const { id = "container-1", netns = "", ifname = "eth0", args = "", env = {}, ...rest } = options;
      const log: string[] = [];
      const { output, exitCode } = await runPlugin({
        type: "switchyard",
        placeOf: () => place,
        timeout: 5_000,
        ...rest,
        env: {
          PATH: process.env.PATH,
          CNI_COMMAND: command,
          CNI_CONTAINERID: id,
          CNI_NETNS: netns,
          CNI_IFNAME: ifname,
          CNI_PATH: PLUGINS,
          ...(args === "" ? {} : { CNI_ARGS: args }),
          ...env,
        },
        input: async () => (typeof conf === "string" ? conf : JSON.stringify(conf)),
        warn: (line) => void log.push(line),
      });
      await caughtUp(sw.db);
      return { code: exitCode, json: output === "" ? undefined : JSON.parse(output), log };
    },
    async ip(netns, ...args) {
      const file = netns ?? `/run/netns/${sw.namespace}`;
      return JSON.parse((await run(["nsenter", `--net=${file}`, "ip", "-json", ...args])) || "[]");
    },
    async everything() {
      const links = await run(["ip", "-n", sw.namespace, "-brief", "link"]);
      const files = await run(["find", folder]);
      const shapers = [...sw.db.table("QoS"), ...sw.db.table("Queue")].length;
      const mirrors = [...sw.db.table("Mirror")].map(({ name }) => name).sort();
      return {
        rows: sw.names(),
        shapers,
        mirrors,
        links: links.split("\n").map((line) => line.split(/\s+/)[0]),
        files,
      };
    },
    hostLocal: (subnet, more = {}) => ({
      type: "host-local",
      dataDir: `${folder}/ipam`,
      ranges: [[{ subnet }]],
      ...more,
    }),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

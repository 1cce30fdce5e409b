/** The options of `docker network create -o` and of a container's end in a network. */
import { YardError } from "@switchyard/base";
import { nearest } from "@switchyard/yard/nearest";

/** The entry in which the engine passes on what was given with `-o`. */
const GENERIC = "com.docker.network.generic";
const INTERNAL = "com.docker.network.internal";
/** What Docker's own bridge driver calls the MTU. */
const DOCKER_MTU = "com.docker.network.driver.mtu";

/** What a network was created with. */
export interface NetworkOptions {
  readonly internal: boolean;
  /** A network of the yard, or a bridge that the switch has. */
  readonly bridge: string | undefined;
  readonly vlan: number | undefined;
  readonly vxlan: number | undefined;
  readonly peers: readonly string[];
  readonly mtu: number | undefined;
  /** Each nic's MAC follows from its address, as ecDock's does. */
  readonly slot: boolean;
  readonly spy: boolean;
  readonly datapath: "system" | "netdev" | undefined;
}

const KNOWN = ["bridge", "vlan", "vxlan", "peers", "mtu", "slot", "spy", "datapath"];

/** @throws YardError `dockernet.bad-option` */
export function networkOptions(given: Readonly<Record<string, unknown>>): NetworkOptions {
  const own = genericOptions(given);
  for (const name of own.keys()) if (!KNOWN.includes(name)) throw unknown(name, KNOWN);
  const [vlan, vxlan] = [number(own, "vlan", 0, 4094), number(own, "vxlan", 1, 0xffffff)];
  if (vlan !== undefined && vxlan !== undefined)
    throw new YardError("dockernet.bad-option", "a network is a VLAN or a VXLAN: give either vlan or vxlan");
  if (vxlan !== undefined && own.has("bridge"))
    throw new YardError("dockernet.bad-option", "bridge is for a VLAN or for no tag at all: a VXLAN has its own");
  return {
    internal: given[INTERNAL] === true,
    bridge: own.get("bridge"),
    vlan,
    vxlan,
    peers: own.get("peers")?.split(",") ?? [],
    mtu: number(own, "mtu", 68, 65_535),
    slot: flag(own, "slot"),
    spy: flag(own, "spy"),
    datapath: datapath(own.get("datapath")),
  };
}

/** What one end of a container was given: `docker network connect --driver-opt`. */
export interface EndpointOptions {
  readonly slot: number | undefined;
  readonly spy: boolean | undefined;
}

/** @throws YardError `dockernet.bad-option` */
export function endpointOptions(given: Readonly<Record<string, unknown>>): EndpointOptions {
  const own = new Map(
    Object.entries(given).flatMap(([name, value]) => (name.includes(".") ? [] : [[name, String(value)] as const])),
  );
  const known = ["slot", "spy"];
  for (const name of own.keys()) if (!known.includes(name)) throw unknown(name, known);
  return { slot: number(own, "slot", 1, 65_535), spy: own.has("spy") ? flag(own, "spy") : undefined };
}

function genericOptions(given: Readonly<Record<string, unknown>>): Map<string, string> {
  const generic = given[GENERIC];
  const entries = typeof generic === "object" && generic !== null ? Object.entries(generic) : [];
  return new Map(
    entries.flatMap(([name, value]) => {
      if (name === DOCKER_MTU) return [["mtu", String(value)] as const];
      // Others of Docker's own are for other drivers.
      return name.startsWith("com.docker.") ? [] : [[name, String(value)] as const];
    }),
  );
}

function unknown(name: string, known: readonly string[]): YardError {
  const meant = nearest(name, known);
  return new YardError(
    "dockernet.bad-option",
    `"${name}" is no option of this driver${meant === undefined ? "" : `; did you mean ${meant}?`}`,
    { hint: `there are ${known.join(", ")}` },
  );
}

function number(own: ReadonlyMap<string, string>, name: string, least: number, most: number): number | undefined {
  const text = own.get(name);
  if (text === undefined) return undefined;
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (value >= least && value <= most) return value;
  throw new YardError("dockernet.bad-option", `${name} is a number from ${least} to ${most}, not "${text}"`);
}

function flag(own: ReadonlyMap<string, string>, name: string): boolean {
  const text = own.get(name);
  // `-o spy` alone comes as an empty text.
  if (text === "" || text === "true" || text === "1") return true;
  if (text === undefined || text === "false" || text === "0") return false;
  throw new YardError("dockernet.bad-option", `${name} is true or false, not "${text}"`);
}

function datapath(text: string | undefined): NetworkOptions["datapath"] {
  if (text === undefined || text === "system" || text === "netdev") return text;
  throw new YardError("dockernet.bad-option", `datapath is system or netdev, not "${text}"`);
}

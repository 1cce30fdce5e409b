/**
 * Forwarding of IPv6, which a host does for all its links or for none (`net.ipv6.conf.all.forwarding`), and which ends
 * that it takes routers' advertisements unless `accept_ra` is 2 (ip-sysctl.rst in the kernel's documentation). Where it
 * is off, it is switched on for the links that ask for it, and for nothing else: what neither comes in nor leaves by one
 * of them is dropped. What was there before stands in that table of nftables, so that whoever lets go last restores it.
 */
import { readdirSync } from "node:fs";
import { asYardError, backoff, delay, errnoOf, tryRun, YardError } from "@switchyard/base";
import { checkLinkName } from "./names.ts";
import { linkSysctl, readSysctls, setSysctls } from "./sysctl.ts";

/** All yards of a host share it, so its name is that of none. */
const TABLE = "switchyard_forwarding6";
const ALL = linkSysctl(6, "all", "forwarding");
/** Milliseconds that another process may take for a change. */
const LIMIT = 10_000;

interface Lent {
  /** The links that forwarding is on for. */
  readonly claims: ReadonlySet<string>;
  /** The links, and `default`, that took advertisements as hosts do (1). */
  readonly listening: readonly string[];
  /** The links that forwarded, for what that says without the rest. */
  readonly routing: readonly string[];
}

/** Whether the kernel passes on IPv6 that comes in or leaves by a link. It is asked once. @throws YardError `forwarding6.refused` */
export async function forwarding6(): Promise<(device: string) => boolean> {
  if (readSysctls("self", [ALL])[ALL] !== "1") return () => false;
  const lent = await read();
  return (device) => lent === undefined || lent.claims.has(device);
}

/**
 * Has the kernel pass on IPv6 that comes in or leaves by these links.
 *
 * @throws YardError `forwarding6.refused`
 */
export async function claimForwarding6(devices: readonly string[]): Promise<void> {
  for (const device of devices) checkLinkName(device);
  if (devices.length === 0) return;
  using _turn = await turn();
  const lent = (await read()) ?? (await lend());
  if (lent === undefined) return;
  await nft(`add element inet ${TABLE} claims { ${list(devices)} }\n`);
  set([...lent.listening.map((name): [string, string] => [acceptRa(name), "2"]), [ALL, "1"]]);
}

/**
 * Lets go of links; those that asked for nothing are none's harm. After the last one the host is as it was.
 *
 * @throws YardError `forwarding6.refused`
 */
export async function releaseForwarding6(devices: readonly string[]): Promise<void> {
  if (devices.length === 0 || (await read()) === undefined) return;
  using _turn = await turn();
  const lent = await read();
  if (lent === undefined) return;
  const left = [...lent.claims].filter((name) => !devices.includes(name));
  const gone = devices.filter((name) => lent.claims.has(name));
  if (left.length > 0) {
    if (gone.length > 0) await nft(`delete element inet ${TABLE} claims { ${list(gone)} }\n`);
    return;
  }
  // A link may have gone since.
  const has = new Set(["default", ...links()]);
  set([
    [ALL, "0"],
    ...lent.routing.filter((name) => has.has(name)).map((name): [string, string] => [forwarding(name), "1"]),
    ...lent.listening.filter((name) => has.has(name)).map((name): [string, string] => [acceptRa(name), "1"]),
  ]);
  await nft(`delete table inet ${TABLE}\n`);
}

/** Writes down how the host is; undefined where it forwards by itself. */
async function lend(): Promise<Lent | undefined> {
  if (readSysctls("self", [ALL])[ALL] === "1") return undefined;
  const names = ["default", ...links()];
  const values = readSysctls(
    "self",
    names.flatMap((name) => [acceptRa(name), forwarding(name)]),
  );
  const listening = names.filter((name) => values[acceptRa(name)] === "1");
  const routing = names.filter((name) => values[forwarding(name)] === "1");
  const sets = Object.entries({ claims: [], listening, routing }).map(([name, elements]) => {
    const held = elements.length === 0 ? "" : ` elements = { ${list(elements)} };`;
    return `add set inet ${TABLE} ${name} { type ifname;${held} }\n`;
  });
  await nft(
    [
      `add table inet ${TABLE}\n`,
      ...sets,
      `add chain inet ${TABLE} forward { type filter hook forward priority filter; policy accept; }\n`,
      `add rule inet ${TABLE} forward meta nfproto ipv6 iifname != @claims oifname != @claims drop\n`,
    ].join(""),
  );
  return { claims: new Set(), listening, routing };
}

async function read(): Promise<Lent | undefined> {
  const { code, stdout, stderr } = await tryRun(["nft", "list", "table", "inet", TABLE]);
  if (code !== 0) {
    if (stderr.includes("No such file or directory")) return undefined;
    throw new YardError("forwarding6.refused", `nft does not tell of the forwarding of IPv6: ${stderr.trim()}`);
  }
  const elements = (name: string) => {
    const [, text = ""] = new RegExp(`set ${name} \\{[^}]*?elements = \\{([^}]*)\\}`).exec(stdout) ?? [];
    return [...text.matchAll(/"([^"]+)"/g)].flatMap(([, found]) => found ?? []);
  };
  return { claims: new Set(elements("claims")), listening: elements("listening"), routing: elements("routing") };
}

async function nft(input: string): Promise<void> {
  const { code, stderr } = await tryRun(["nft", "-f", "-"], { input });
  if (code !== 0) throw new YardError("forwarding6.refused", `nft refused the forwarding of IPv6: ${stderr.trim()}`);
}

/** In their order. A link that goes meanwhile has nothing to be set. */
function set(values: readonly (readonly [string, string])[]): void {
  for (const { name, errno, message } of setSysctls("self", Object.fromEntries(values)))
    if (name === ALL || errno !== "ENOENT") throw new YardError("forwarding6.refused", message);
}

/** The links of this network namespace that speak IPv6. */
function links(): string[] {
  try {
    return readdirSync("/proc/self/net/dev_snmp6");
  } catch {
    return [];
  }
}

/** An abstract address (unix(7)) belongs to a network namespace, as what is changed does, and goes with its process. */
async function turn(): Promise<Disposable> {
  const until = performance.now() + LIMIT;
  // Nothing tells when it is free.
  for (const wait of backoff(5, 100)) {
    try {
      const held = Bun.listen({ unix: `\0${TABLE}`, socket: { open: (socket) => void socket.end(), data() {} } });
      return { [Symbol.dispose]: () => held.stop(true) };
    } catch (cause) {
      if (errnoOf(cause) !== "EADDRINUSE")
        throw new YardError(
          "forwarding6.refused",
          `the forwarding of IPv6 cannot be locked: ${asYardError(cause).message}`,
          { cause },
        );
      if (performance.now() > until)
        throw new YardError("forwarding6.refused", "another yard is changing the forwarding of IPv6", { cause });
    }
    await delay(wait);
  }
  throw new YardError("forwarding6.refused", "another yard is changing the forwarding of IPv6");
}

const list = (names: readonly string[]) => names.map((name) => `"${name}"`).join(", ");
const acceptRa = (link: string) => linkSysctl(6, link, "accept_ra");
const forwarding = (link: string) => linkSysctl(6, link, "forwarding");

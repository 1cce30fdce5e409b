/**
 * A stand-in for zerotier-one(8) and zerotier-cli(1): as much of what the two do as the agent relies on, with networks that
 * are made up. It moves no frames. `bun zerotier-stand-in.ts one|cli <the program's own arguments>`
 */
import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** What a made-up network tells; any other is not found. */
const NETWORKS: Readonly<Record<string, { readonly status: string; readonly subnet?: string }>> = {
  "8056c2e21c000001": { status: "OK", subnet: "10.147" },
  "8056c2e21c000002": { status: "OK", subnet: "10.148" },
  "8056c2e21c00000d": { status: "ACCESS_DENIED" },
};

/** By network: a device keeps the name that it was made with. */
const devices = new Map<string, string>();
const [program = "", ...args] = process.argv.slice(2);
if (program === "one") await one(args);
else process.exit(await cli(args));

async function one(argv: readonly string[]): Promise<void> {
  const home = argv.at(-1) ?? "";
  if (argv.join(" ") !== `-U -p0 ${home}` || !home.startsWith("/"))
    throw new Error(`wrong arguments: ${argv.join(" ")}`);
  // It is called in the namespace where its devices are to be.
  mkdirSync(join(home, "networks.d"), { recursive: true });
  const secret = join(home, "identity.secret");
  if (!existsSync(secret)) writeFileSync(secret, `${randomBytes(5).toString("hex")}:0:public:private`, { mode: 0o600 });
  const identity = readFileSync(secret, "utf8").split(":")[0] ?? "";
  writeFileSync(join(home, "identity.public"), identity);
  const token = randomBytes(12).toString("hex");
  const joined = () => readdirSync(join(home, "networks.d")).map((name) => name.replace(".conf", ""));
  for (const nwid of joined()) await attach(home, nwid, identity);
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    async fetch(request) {
      if (request.headers.get("x-zt1-auth") !== token) return new Response("{}", { status: 401 });
      const nwid = new URL(request.url).pathname.match(/^\/network\/([0-9a-f]{16})$/)?.[1];
      if (nwid !== undefined && request.method === "POST") {
        writeFileSync(join(home, "networks.d", `${nwid}.conf`), "");
        await attach(home, nwid, identity);
      } else if (nwid !== undefined && request.method === "DELETE") {
        rmSync(join(home, "networks.d", `${nwid}.conf`), { force: true });
        await Bun.spawn(["ip", "link", "delete", devices.get(nwid) ?? ""], { stderr: "ignore" }).exited;
      }
      return Response.json(joined().map((it) => described(home, it, identity)));
    },
  });
  writeFileSync(join(home, "authtoken.secret"), token, { mode: 0o600 });
  // Whole from the first moment that it is seen.
  writeFileSync(join(home, "port.new"), String(server.port));
  renameSync(join(home, "port.new"), join(home, "zerotier-one.port"));
}

/** The device of a network that lets the node in, named by the devicemap. */
async function attach(home: string, nwid: string, identity: string): Promise<void> {
  const address = addressOf(nwid, identity);
  if (address === undefined) return;
  const device = deviceOf(home, nwid);
  devices.set(nwid, device);
  const way = / dev (\S+)/.exec(await new Response(Bun.spawn(["ip", "route", "show", "default"]).stdout).text())?.[1];
  const vxlan = ["type", "vxlan", "id", String(Number.parseInt(nwid.slice(-6), 16)), "group", "239.255.0.1"];
  for (const argv of [
    way === undefined
      ? ["ip", "tuntap", "add", "mode", "tap", "name", device]
      : ["ip", "link", "add", device, ...vxlan, "dev", way, "dstport", "9993"],
    // As packets of a tun device are, these are finished before they are wrapped.
    ["ethtool", "-K", device, "tx", "off"],
    ["ip", "link", "set", device, "up"],
    ["ip", "address", "replace", address, "dev", device],
  ])
    await Bun.spawn(argv, { stderr: "ignore" }).exited;
}

function described(home: string, nwid: string, identity: string) {
  const address = addressOf(nwid, identity);
  const status = NETWORKS[nwid]?.status ?? "NOT_FOUND";
  return { id: nwid, nwid, status, portDeviceName: deviceOf(home, nwid), assignedAddresses: address ? [address] : [] };
}

/** A controller gives nobody's address again; two nodes' first four digits are hardly ever the same. */
function addressOf(nwid: string, identity: string): string | undefined {
  const subnet = NETWORKS[nwid]?.subnet;
  const [third, fourth] = [0, 2].map((at) => (Number.parseInt(identity.slice(at, at + 2), 16) % 250) + 2);
  return subnet && `${subnet}.${third}.${fourth}/16`;
}

function deviceOf(home: string, nwid: string): string {
  const map = existsSync(join(home, "devicemap")) ? readFileSync(join(home, "devicemap"), "utf8") : "";
  return new RegExp(`^${nwid}=(\\S+)$`, "m").exec(map)?.[1] ?? `zt${nwid.slice(-8)}`;
}

async function cli(argv: readonly string[]): Promise<number> {
  const home = argv.find((word) => word.startsWith("-D"))?.slice(2) ?? "";
  const [verb = "", nwid = ""] = argv.filter((word) => !word.startsWith("-"));
  const [port, token] = ["zerotier-one.port", "authtoken.secret"].map((name) => readFileSync(join(home, name), "utf8"));
  if (verb === "info") {
    process.stdout.write(`{"address": "${readFileSync(join(home, "identity.public"), "utf8")}", "online": true}\n`);
    return 0;
  }
  const method = { join: "POST", leave: "DELETE", listnetworks: "GET" }[verb];
  if (method === undefined) return 2;
  const answer = await fetch(`http://127.0.0.1:${port}/network${nwid === "" ? "" : `/${nwid}`}`, {
    method,
    headers: { "X-ZT1-Auth": token ?? "" },
  });
  process.stdout.write(verb === "listnetworks" ? await answer.text() : `${answer.status} ${verb} OK\n`);
  return answer.ok ? 0 : 1;
}

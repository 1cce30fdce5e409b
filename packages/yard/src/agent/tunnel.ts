/**
 * A WireGuard device (wireguard.com, wg(8)) in the namespace of a yard's switch: the kernel's own, or where it has none
 * one of wireguard-go(1). The process keeps it for as long as it runs, and takes it away when it ends.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, rmdirSync } from "node:fs";
import { backoff, childEnvironment, deadline, delay, run, tryRun, YardError } from "@switchyard/base";
import { knowsLinkKind, linkSysctl, setSysctls } from "@switchyard/linux";
import { z } from "zod";
import { ensureTunnelKey, innerAddress, publicKeyOf, TUNNEL_MTU } from "./tunnel-key.ts";

/** What one end is to be. None of it is secret. */
export const tunnelSchema = z.strictObject({
  device: z.string(),
  /** The file of our own key. */
  keyFile: z.string(),
  /** UDP, here and there. */
  port: z.number().int(),
  /** Of the other end. */
  key: z.string(),
  address: z.string(),
});
export type TunnelConfig = z.infer<typeof tunnelSchema>;

/** Who makes such devices here. */
export function wireguardBy(): "kernel" | "go" {
  return knowsLinkKind("wireguard") ? "kernel" : "go";
}

/** Where wg(8) looks for devices that are not the kernel's. */
const SOCKETS = "/var/run/wireguard";
/** Milliseconds that wireguard-go has for making a device. */
const LIMIT = 5_000;
/** Seconds: a firewall on the way that forgets connections shall not forget this one. */
const KEEPALIVE = 25;

/** Runs until `signal` aborts. @throws YardError `tunnel.failed` */
export async function runTunnel(config: TunnelConfig, signal: AbortSignal): Promise<void> {
  const { device, keyFile, port, key, address } = config;
  const own = innerAddress(publicKeyOf(ensureTunnelKey(keyFile)));
  await using made = await makeDevice(device, signal);
  const endpoint = address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
  const peer = ["peer", key, "endpoint", endpoint, "persistent-keepalive", String(KEEPALIVE)];
  const inner = `${innerAddress(key)}/128`;
  await must("wg", "set", device, "listen-port", String(port), "private-key", keyFile, ...peer, "allowed-ips", inner);
  // The namespace of a switch has no IPv6 but where it is asked for.
  setSysctls("self", { [linkSysctl(6, device, "disable_ipv6")]: "0", [linkSysctl(6, device, "accept_ra")]: "0" });
  // It bears no mark: the agent would take a device for its own that is the process's.
  await must("ip", "link", "set", "dev", device, "mtu", String(TUNNEL_MTU), "up");
  await must("ip", "address", "replace", `${own}/128`, "dev", device, "nodad");
  await must("ip", "-6", "route", "replace", inner, "dev", device);
  console.log(`${device} leads to ${endpoint}`);
  await made.ended;
}

interface Device extends AsyncDisposable {
  /** Resolves when it shall go, and rejects when it has gone by itself. */
  readonly ended: Promise<void>;
}

async function makeDevice(device: string, signal: AbortSignal): Promise<Device> {
  // One that a killed process left.
  await tryRun(["ip", "link", "delete", "dev", device]);
  const stopped = signal.aborted ? Promise.resolve() : once(signal, "abort").then(() => undefined);
  const { code } = await tryRun(["ip", "link", "add", "dev", device, "type", "wireguard"]);
  if (code === 0) {
    // A promise alone would not keep the process.
    const alive = setInterval(() => {}, 60_000);
    return {
      ended: stopped,
      async [Symbol.asyncDispose]() {
        clearInterval(alive);
        await tryRun(["ip", "link", "delete", "dev", device]);
      },
    };
  }
  const child = await startUserspace(device, signal);
  const ended = Promise.race([stopped, gone(child)]);
  // Nobody waits for it while the device is set up.
  ended.catch(() => {});
  return {
    ended,
    async [Symbol.asyncDispose]() {
      if (child.exitCode === null && child.signalCode === null) {
        const exited = once(child, "exit");
        child.kill("SIGTERM");
        await exited;
      }
      leaveSockets();
    },
  };
}

/** The folder goes with the last of them. */
function leaveSockets(): void {
  try {
    rmdirSync(SOCKETS);
  } catch {
    // Others have theirs in it.
  }
}

async function startUserspace(device: string, signal: AbortSignal): Promise<ChildProcess> {
  mkdirSync(SOCKETS, { recursive: true, mode: 0o700 });
  // It ends with us, however we end; and its device with it.
  const child = spawn("setpriv", ["--pdeathsig", "KILL", "wireguard-go", "--foreground", device], {
    stdio: ["ignore", "inherit", "inherit"],
    // It would else advise the kernel's own, which we have tried.
    env: { ...childEnvironment(), LOG_LEVEL: "error", WG_I_PREFER_BUGGY_USERSPACE_TO_POLISHED_KMOD: "1" },
  });
  const ended = gone(child);
  ended.catch(() => {});
  using limit = deadline(LIMIT, "tunnel.failed", `wireguard-go did not make ${device} in time`, signal);
  const ready = async () => {
    // Nothing tells of it but the socket.
    for (const wait of backoff(5, 100)) {
      if (existsSync(`${SOCKETS}/${device}.sock`) && (await tryRun(["wg", "show", device])).code === 0) return;
      await delay(wait, limit);
    }
  };
  try {
    await Promise.race([ready(), ended]);
    return child;
  } catch (error) {
    child.kill("SIGKILL");
    throw error;
  }
}

async function gone(child: ChildProcess): Promise<never> {
  const failed = once(child, "error").then(([error]) => String(error));
  const exited = once(child, "exit").then(([code, signal]) => `it ended with ${code ?? signal}`);
  throw new YardError("tunnel.failed", `wireguard-go does not run: ${await Promise.race([failed, exited])}`, {
    hint: "install it: apt-get install wireguard-go wireguard-tools",
  });
}

async function must(...argv: readonly [string, ...string[]]): Promise<void> {
  try {
    await run(argv);
  } catch (cause) {
    throw new YardError("tunnel.failed", cause instanceof Error ? cause.message : String(cause), { cause });
  }
}

/** A DHCP server for tests: that of busybox, whose leases may be short. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { endProcess, identify } from "@switchyard/linux";
import { runningServices } from "../src/agent/services.ts";
import type { NicEntry, Rows } from "../src/store/mod.ts";

/** What it grants, in seconds. busybox' client asks for no renewal before 15. */
const SECONDS = 16;

/** The command of a server for 10.86.`subnet`.0/24 on a node's eth0; its configuration is written. */
export function serverCommand(folder: string, subnet: number): readonly [string, ...string[]] {
  const file = join(folder, `server${subnet}.conf`);
  const lines = [
    ...["interface eth0", `start 10.86.${subnet}.100`, `end 10.86.${subnet}.109`],
    ...[`lease_file ${join(folder, `server${subnet}.leases`)}`, `pidfile ${pidFile(folder, subnet)}`],
    ...[`min_lease ${SECONDS}`, `option lease ${SECONDS}`, "option subnet 255.255.255.0"],
    ...[`option router 10.86.${subnet}.1`, `option dns 10.86.${subnet}.53`],
  ];
  writeFileSync(file, `${lines.join("\n")}\n`);
  // Nobody has the address that is offered: asking takes two seconds else, and the client asks again after three.
  return ["busybox", "udhcpd", "-a", "100", file];
}

/** Takes the server away without its saying so. */
export async function killServer(folder: string, subnet: number): Promise<void> {
  await kill(Number(readFileSync(pidFile(folder, subnet), "utf8")));
}

/** Ends a process at once. */
export async function kill(pid: number): Promise<void> {
  const found = identify(pid);
  if (found) await endProcess(found, 0);
}

/** The process of a nic's client. */
export function clientPid(run: string, port: string | undefined): number | undefined {
  return [...runningServices(run)].find(([id]) => id.startsWith(`dhcp-${port}-`))?.[1].pid;
}

export function nicOf({ nodes }: Rows, node: string, nic = "eth0"): NicEntry | undefined {
  return nodes.find(({ name }) => name === node)?.nics.find(({ name }) => name === nic);
}

function pidFile(folder: string, subnet: number): string {
  return join(folder, `server${subnet}.pid`);
}

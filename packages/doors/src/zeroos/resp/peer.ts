/** Who is at the other end of a connection that stays on this machine. */
import { readFileSync } from "node:fs";
import type { Socket } from "node:net";

/**
 * Whether that is a program of root's, or of a member of the group `yard`, as the kernel's list of sockets tells
 * (proc_pid_net(5)): every user of the host can connect to an address of its loopback.
 */
export function isTrustedPeer(socket: Socket): boolean {
  const { remoteAddress, remotePort, localAddress, localPort } = socket;
  if (!remoteAddress || !remotePort || !localAddress || !localPort) return false;
  const near = [plain(localAddress), localPort] as const;
  const far = [plain(remoteAddress), remotePort] as const;
  for (const table of ["tcp", "tcp6"]) {
    for (const line of linesOf(`/proc/self/net/${table}`)) {
      const [, local = "", remote = "", , , , , uid = ""] = line.trim().split(/\s+/);
      // The other end's own entry: what is near to it is far to us.
      if (!same(local, far) || !same(remote, near)) continue;
      return isTrusted(Number(uid));
    }
  }
  return false;
}

/** An IPv4 address also where a socket for both families tells it as `::ffff:127.0.0.1`. */
function plain(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.)/, "");
}

function same(entry: string, [address, port]: readonly [string, number]): boolean {
  const [hex = "", portHex = ""] = entry.split(":");
  return Number.parseInt(portHex, 16) === port && addressOf(hex) === address;
}

/** Words of four bytes, each in the order of the machine, which is little-endian wherever we run. */
function addressOf(hex: string): string {
  const bytes = (hex.match(/.{8}/g) ?? []).flatMap((word) =>
    (word.match(/../g) ?? []).reverse().map((byte) => Number.parseInt(byte, 16)),
  );
  if (bytes.length === 4) return bytes.join(".");
  const mapped = bytes.slice(0, 10).every((byte) => byte === 0) && bytes[10] === 255 && bytes[11] === 255;
  if (mapped) return bytes.slice(12).join(".");
  return bytes.slice(0, 15).every((byte) => byte === 0) && bytes[15] === 1 ? "::1" : "";
}

function isTrusted(uid: number): boolean {
  if (uid === 0 || uid === process.geteuid?.()) return true;
  const user = linesOf("/etc/passwd")
    .map((line) => line.split(":"))
    .find((fields) => fields[2] === String(uid));
  const group = linesOf("/etc/group")
    .map((line) => line.split(":"))
    .find(([name]) => name === "yard");
  if (user === undefined || group === undefined) return false;
  return user[3] === group[2] || (group[3] ?? "").split(",").includes(user[0] ?? "");
}

function linesOf(file: string): string[] {
  try {
    return readFileSync(file, "utf8").split("\n");
  } catch {
    return [];
  }
}

/** What the running kernel is and has. */
import { readFileSync } from "node:fs";
import { release } from "node:os";

/** Whether the process acts as root (effective user id 0), which all that changes the network needs. */
export function isRoot(): boolean {
  return process.geteuid?.() === 0;
}

/** A UUID that is new with every boot of the host. */
export function bootId(): string {
  return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
}

/** The running kernel's release, `6.1.0-18-amd64`. */
export function kernelRelease(): string {
  return release();
}

/** Whether the kernel keeps IFA_PROTO, who made an address: Linux 5.18 or newer. */
export function marksAddresses(): boolean {
  marks ??= isAtLeast(kernelRelease(), 5, 18);
  return marks;
}

let marks: boolean | undefined;

/** Whether a release such as `6.1.0-18-amd64` is that version or a newer one. */
export function isAtLeast(text: string, major: number, minor: number): boolean {
  const [, a, b] = /^(\d+)\.(\d+)/.exec(text) ?? [];
  return Number(a) > major || (Number(a) === major && Number(b) >= minor);
}

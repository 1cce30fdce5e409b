import { readFileSync } from "node:fs";
import type { VmUser } from "./types.ts";

/** Users that were made for this, the most fitting first; every system has the last. */
const NAMES = ["switchyard-vm", "libvirt-qemu", "qemu", "nobody"];

/**
 * Whom QEMU runs as when nobody is named. A user of the machines' own (`adduser --system switchyard-vm`) keeps them
 * apart from what else runs as `nobody`.
 */
export function vmUser(passwd: string = readFileSync("/etc/passwd", "utf8")): VmUser {
  const users = new Map(
    passwd.split("\n").map((line) => {
      const [name = "", , uid, gid] = line.split(":");
      return [name, { uid: Number(uid), gid: Number(gid) }];
    }),
  );
  for (const name of NAMES) {
    const user = users.get(name);
    if (user !== undefined && user.uid > 0) return user;
  }
  return { uid: 65534, gid: 65534 };
}

/** The start of a command that gives up every right, and every network, before it executes what follows. */
export function unprivileged(user: VmUser, groups: readonly number[]): readonly [string, ...string[]] {
  return [
    ...(["unshare", "--net", "--"] as const),
    ...["setpriv", `--reuid=${user.uid}`, `--regid=${user.gid}`],
    groups.length === 0 ? "--clear-groups" : `--groups=${groups.join(",")}`,
    ...["--no-new-privs", "--inh-caps=-all", "--bounding-set=-all", "--"],
  ];
}

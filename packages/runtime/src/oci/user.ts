import { closeSync, constants, readFileSync } from "node:fs";
import { YardError } from "@switchyard/base";
import { FileError, RootedFolder } from "../files/rooted.ts";

/** Whom a process runs as: the numbers that the OCI runtime wants. */
export interface Credentials {
  readonly uid: number;
  readonly gid: number;
  readonly additionalGids: readonly number[];
  readonly home: string;
}

/**
 * What `USER[:GROUP]` means in a root file system, by its `/etc/passwd` and `/etc/group`; numbers need not be listed.
 *
 * @throws YardError `runtime.user-unknown`
 */
export function resolveUser(root: string, user: string | undefined): Credentials {
  const [name = "", group, ...rest] = (user === undefined || user === "" ? "0" : user).split(":");
  if (rest.length > 0 || name === "") throw unknownUser(user ?? "", "is not USER or USER:GROUP");
  using folder = new RootedFolder(root);
  const accounts = rows(folder, "etc/passwd", 7);
  const groups = rows(folder, "etc/group", 4);
  const account = accounts.find(([login, , uid]) => login === name || (isNumber(name) && uid === name));
  if (account === undefined && !isNumber(name)) throw unknownUser(name, "is not in the image's /etc/passwd");
  const uid = Number(account?.[2] ?? name);
  const home = account?.[5] === undefined || account[5] === "" ? "/" : account[5];
  if (group !== undefined) return { uid, gid: groupNumber(groups, group), additionalGids: [], home };
  const gid = Number(account?.[3] ?? 0);
  const login = account?.[0];
  const additional = groups.filter((row) => login !== undefined && row[3]?.split(",").includes(login));
  return {
    uid,
    gid,
    additionalGids: [...new Set(additional.map((row) => Number(row[2])))].filter(Number.isInteger),
    home,
  };
}

function groupNumber(groups: readonly string[][], group: string): number {
  if (isNumber(group)) return Number(group);
  const row = groups.find(([name]) => name === group);
  if (row === undefined) throw unknownUser(group, "is not in the image's /etc/group");
  return Number(row[2]);
}

function isNumber(text: string): boolean {
  return /^\d{1,10}$/.test(text);
}

function unknownUser(name: string, problem: string): YardError {
  return new YardError("runtime.user-unknown", `the user or group "${name}" ${problem}`, {
    hint: "name one that the image has, or give its number",
  });
}

/** The rows of a colon-separated file; none when the image has no such file. */
function rows(folder: RootedFolder, path: string, columns: number): string[][] {
  let fd: number;
  try {
    fd = folder.open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    if (error instanceof FileError) return [];
    throw error;
  }
  try {
    return readFileSync(fd, "utf8")
      .split("\n")
      .map((line) => line.split(":"))
      .filter((row) => row.length >= columns);
  } finally {
    closeSync(fd);
  }
}

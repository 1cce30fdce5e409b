import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { appendFileSync, mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { PassThrough } from "node:stream";
import { parseLogLine, writeLog } from "./logs.ts";
import { capabilitiesOf, DEFAULT_CAPABILITIES, parseDevice } from "./privileges.ts";
import { hasSeccompProfile, seccompProfile } from "./seccomp.ts";
import { resolveUser } from "./user.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync("/tmp/syruntime-");
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("a user of an image", () => {
  let root: string;
  beforeAll(() => {
    root = `${folder}/root`;
    mkdirSync(`${root}/etc`, { recursive: true });
    writeFileSync(`${root}/etc/passwd`, "root:x:0:0::/root:/bin/sh\nweb:x:33:44::/srv:/bin/sh\nbad line\n");
    writeFileSync(`${root}/etc/group`, "root:x:0:\nwww:x:44:\nmore:x:55:other,web\n");
  });

  test("is root when none is named", () => {
    expect(resolveUser(root, undefined)).toEqual({ uid: 0, gid: 0, additionalGids: [], home: "/root" });
  });
  test("is found by name or number, with its groups", () => {
    const web = { uid: 33, gid: 44, additionalGids: [55], home: "/srv" };
    expect(resolveUser(root, "web")).toEqual(web);
    expect(resolveUser(root, "33")).toEqual(web);
    expect(resolveUser(root, "web:more")).toEqual({ ...web, gid: 55, additionalGids: [] });
  });
  test("need not be listed when it is a number", () => {
    expect(resolveUser(root, "1234:5")).toEqual({ uid: 1234, gid: 5, additionalGids: [], home: "/" });
  });
  test.each(["nosuch", "web:nosuch", "a:b:c", ":x"])("is not %p", (user) => {
    expect(() => resolveUser(root, user)).toThrow(expect.objectContaining({ code: "runtime.user-unknown" }));
  });
  test("is not looked up in the host's files through a link of the image", () => {
    const linked = `${folder}/linked`;
    mkdirSync(`${linked}/etc`, { recursive: true });
    symlinkSync("/../../../../../../../../etc/passwd", `${linked}/etc/group`);
    symlinkSync("/proc/self/root/etc/passwd", `${linked}/etc/passwd`);
    expect(() => resolveUser(linked, "daemon")).toThrow(expect.objectContaining({ code: "runtime.user-unknown" }));
  });
});

describe("a container's log", () => {
  test("is a line for each write, whole or in part", () => {
    expect(parseLogLine("2026-01-01T00:00:00.0+00:00 stderr F a b ")).toEqual({ stream: "stderr", text: "a b \n" });
    expect(parseLogLine("2026-01-01T00:00:00.0+00:00 stdout P part")).toEqual({ stream: "stdout", text: "part" });
    expect(parseLogLine("nonsense")).toBeUndefined();
  });

  test("is followed over a letter cut in half, and over a new file when the old was full", async () => {
    const path = `${folder}/log`;
    const line = (text: string) => Buffer.from(`t stdout F ${text}\n`);
    writeFileSync(path, line("one"));
    const stdout = new PassThrough();
    let seen = "";
    let wake = () => {};
    stdout.on("data", (chunk) => {
      seen += chunk;
      wake();
    });
    const until = async (text: string) => {
      while (!seen.includes(text)) await new Promise<void>((resolve) => (wake = resolve));
    };
    const ended = Promise.withResolvers<void>();
    const following = writeLog(path, { follow: true, tail: 5 }, ended.promise, {
      stdin: undefined,
      stdout,
      stderr: stdout,
    });
    await until("one\n");
    const cut = line("zwö");
    appendFileSync(path, cut.subarray(0, -2));
    appendFileSync(path, cut.subarray(-2));
    await until("zwö\n");
    writeFileSync(`${path}.new`, line("three"));
    renameSync(`${path}.new`, path);
    await until("three\n");
    ended.resolve();
    await following;
    expect(seen).toBe("one\nzwö\nthree\n");
  });
});

describe("privileges", () => {
  test("are Docker's unless more is asked for, and never more than the host's root has", () => {
    const own = capabilitiesOf({ privileged: false, capAdd: [] });
    expect(DEFAULT_CAPABILITIES).toEqual(expect.arrayContaining(own));
    expect(own).not.toContain("CAP_SYS_ADMIN");
    expect(capabilitiesOf({ privileged: true, capAdd: [] }).length).toBeGreaterThanOrEqual(own.length);
    expect(() => capabilitiesOf({ privileged: false, capAdd: ["nosuch"] })).toThrow(
      expect.objectContaining({ code: "runtime.capability-unknown" }),
    );
  });

  test("for devices are written as Docker's", () => {
    expect(parseDevice("/dev/null")).toMatchObject({ path: "/dev/null", type: "c", major: 1, minor: 3, access: "rwm" });
    expect(parseDevice("/dev/zero:r")).toMatchObject({ path: "/dev/zero", minor: 5, access: "r" });
    expect(parseDevice("/dev/zero:/dev/x:rw")).toMatchObject({ path: "/dev/x", minor: 5, access: "rw" });
    expect(() => parseDevice("/dev/nosuch")).toThrow(expect.objectContaining({ code: "runtime.device-absent" }));
    expect(() => parseDevice("null")).toThrow(expect.objectContaining({ code: "runtime.device-bad" }));
  });

  test.skipIf(!hasSeccompProfile())("open system calls only with the capability that they need", () => {
    const names = (capabilities: string[]) =>
      (seccompProfile(capabilities)?.syscalls ?? [])
        .filter((rule): rule is { names: string[]; action: string } => typeof rule === "object" && rule !== null)
        .filter(({ action }) => action === "SCMP_ACT_ALLOW")
        .flatMap((rule) => rule.names);
    expect(names([])).toContain("read");
    expect(names([])).not.toContain("acct");
    expect(names(["CAP_SYS_PACCT"])).toContain("acct");
  });
});

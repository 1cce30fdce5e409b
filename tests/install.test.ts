import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync, readlinkSync } from "node:fs";
import { run } from "@switchyard/base";
import { NAMES } from "@switchyard/doors/cloonix";
import { temporaryFolder } from "@switchyard/testing";

const root = new URL("..", import.meta.url).pathname;

describe("make install", () => {
  test("puts executable, ec, completion, unit, group and Wireshark's way in below DESTDIR, and uninstall takes all away", async () => {
    await using folder = await temporaryFolder("syinstall-");
    const into = ["--no-print-directory", `DESTDIR=${folder.path}`, "PREFIX=/usr", "EXTCAPDIR=/usr/lib/extcap"];
    await run(["make", "install", ...into], { cwd: root });
    const at = (path: string) => `${folder.path}/usr/${path}`;
    expect(await run([at("bin/yard"), "--version"])).toMatch(/^\d+\.\d+\.\d+\n$/);
    for (const name of NAMES) expect(readlinkSync(at(`bin/${name}`))).toBe("yard");
    const listed = await run([at("bin/cloonix_cli")], {
      env: { SWITCHYARD_RUN_DIR: folder.path, SWITCHYARD_STATE_DIR: folder.path },
    });
    expect(listed).toContain("cloonix_cli <net> <command>");
    expect(await run([at("bin/ec"), "-h"])).toContain("create-vswitch");
    const unit = readFileSync(at("lib/systemd/system/switchyard@.service"), "utf8");
    expect(unit).toContain("ExecStart=/usr/bin/yard -y %i agent\n");
    expect(unit).not.toContain("@BINDIR@");
    const driver = readFileSync(at("lib/systemd/system/switchyard-docker.service"), "utf8");
    expect(driver).toContain("ExecStart=/usr/bin/yard docker-driver\n");
    expect(readFileSync(at("lib/sysusers.d/switchyard.conf"), "utf8")).toContain("g yard - -");
    const bash = at("share/bash-completion/completions/yard");
    await run(["bash", "-n", bash]);
    expect(readFileSync(bash, "utf8")).toContain("yard");
    expect(readFileSync(at("share/zsh/site-functions/_yard"), "utf8")).toContain("yard");
    expect(readFileSync(at("share/fish/vendor_completions.d/yard.fish"), "utf8")).toContain("complete");
    expect(readlinkSync(at("lib/extcap/yard-extcap"))).toBe("/usr/bin/yard");
    await run(["make", "uninstall", ...into], { cwd: root });
    expect((await run(["find", folder.path, "!", "-type", "d"])).trim()).toBe("");
    expect(existsSync(at("bin/yard"))).toBe(false);
  });

  test("does without Wireshark's way in where its folder may not be written to", async () => {
    await using folder = await temporaryFolder("syinstall-");
    // The executable is no folder, not even for root.
    const into = ["--no-print-directory", `DESTDIR=${folder.path}`, "PREFIX=/usr", "EXTCAPDIR=/usr/bin/yard/extcap"];
    expect(await run(["make", "install", ...into], { cwd: root })).toContain("Wireshark does not get its way in");
    expect(existsSync(`${folder.path}/usr/bin/ec`)).toBe(true);
  });
});

/** A virtual machine of a yard that is served to clients of zero-os, seen from inside. */
import { chmodSync, mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { text } from "node:stream/consumers";
import { createLogger } from "@switchyard/base/log";
import { openVmEngine, type VmEngine } from "@switchyard/runtime";
import type { Guest } from "@switchyard/testing";
import { yardPaths } from "@switchyard/yard/paths";
import type { Site } from "./yard.ts";

/** Lays the guest where the programs of the tests look for it. @returns options of `yard serve` */
export function guestRoot(site: Site, guest: Guest): string[] {
  const boot = join(site.folder, "machine", "boot");
  mkdirSync(boot, { recursive: true });
  symlinkSync(guest.kernel, join(boot, "vmlinuz"));
  symlinkSync(guest.initrd, join(boot, "initrd.img"));
  // As /run is: the machine's user reads it.
  chmodSync(join(site.folder, ".."), 0o755);
  return ["--root", "*=busybox", "--root", "https://hub.gig.tech/machine.flist=./machine"];
}

export class GuestInside implements AsyncDisposable {
  private constructor(
    private readonly engine: VmEngine,
    private readonly name: string,
  ) {}

  static async open(site: Site, yard: string): Promise<GuestInside> {
    const { state, run } = yardPaths(yard, site.env);
    const log = createLogger("test", "silent");
    return new GuestInside(await openVmEngine({ stateDir: state, runDir: run, log }), `${yard}_guest`);
  }

  /** What a command in it prints, by its agent. */
  async run(script: string): Promise<string> {
    const stdout = new PassThrough();
    const said = text(stdout);
    const streams = { stdin: undefined, stdout, stderr: new PassThrough().resume() };
    const code = await this.engine.exec(this.name, { command: ["/bin/sh", "-c", script], tty: false }, streams);
    stdout.end();
    if (code !== 0) throw new Error(`${script} ended with ${code}: ${await said}`);
    return await said;
  }

  /** Gives the nic with that MAC an address, once it is there. */
  async address(mac: string, cidr: string): Promise<void> {
    const nic = `$(basename $(dirname $(grep -l ${mac} /sys/class/net/*/address)))`;
    const there = `until grep -q ${mac} /sys/class/net/*/address; do usleep 50000; done`;
    await this.run(`${there}; ip link set ${nic} up; ip address add ${cidr} dev ${nic}`);
  }

  /** Has it take one connection to port 5000. */
  async listen(): Promise<void> {
    await this.run(
      "rm -f /tmp/open; mkfifo -m 600 /tmp/open; nc -l -p 5000 <>/tmp/open >/tmp/got 2>/dev/null & sleep 0.2",
    );
  }

  /** How many bytes have come. */
  async received(): Promise<number> {
    return Number(await this.run("wc -c </tmp/got"));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.engine[Symbol.asyncDispose]();
  }
}

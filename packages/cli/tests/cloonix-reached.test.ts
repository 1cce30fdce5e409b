import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ensureGuest, expectSameMachine, type Machine, requires, snapshotMachine } from "@switchyard/testing";
import { type CloonixSite, createCloonixSite, executable } from "./cloonix-site.ts";

// Translated guests are slow, and the machine may be busy with other tests.
setDefaultTimeout(90_000);

const NET = `reached${process.pid}`;

describe.skipIf(!requires("root", "openvswitch", "qemu", "busybox", "dnsmasq", "nftables", "ssh"))(
  "a net of cloonix's",
  () => {
    let before: Machine;
    let cloonix: CloonixSite;
    const run = (line: string) => cloonix.said(line.replaceAll("NET", NET));

    beforeAll(async () => {
      before = await snapshotMachine();
      cloonix = await createCloonixSite(NET);
      await run("cloonix_net NET");
    });
    afterAll(async () => {
      await cloonix[Symbol.asyncDispose]();
      await expectSameMachine(before, { ours: new RegExp(NET) });
    });

    test("has machines without agent entered and copied to by ssh, else by their console", async () => {
      const { kernel, initrd } = await ensureGuest();
      await run("ssh-keygen -q -t ed25519 -N '' -f id_ed25519");
      const key = (await run("cut -d' ' -f2 id_ed25519.pub")).trim();
      const vm = (name: string, append: string, more: string) =>
        run(
          `'${executable}' -y cloonix-NET add vm ${name} --kernel ${kernel} --initrd ${initrd} --no-guest-agent -m 128M --append 'console=ttyS0 quiet ${append}' ${more}`,
        );
      await run("cloonix_cli NET add nat way cidr=10.94.4.0/24 && cloonix_cli NET add lan way 0 lan4");
      await vm("near", `address=10.94.4.2/24 ssh=${key}`, "-n lan4,ip=10.94.4.2/24 --ssh root --key id_ed25519");
      await vm("alone", "", "");
      await run("echo by ssh > note");
      for (const node of ["near", "alone"]) {
        await run(
          `i=0; until cloonix_ssh NET ${node} true 2>/dev/null; do i=$((i+1)); [ $i -lt 60 ] || exit 1; sleep 0.5; done`,
        );
        await run(`cloonix_scp NET note ${node}:/tmp/note && cloonix_scp NET ${node}:/tmp/note back`);
        expect(await run(`cloonix_ssh NET ${node} 'cat /tmp/note'`)).toBe("by ssh\n");
        expect(readFileSync(join(cloonix.site.folder, "back"), "utf8")).toBe("by ssh\n");
      }
      expect(await run("cloonix_ssh NET near 'echo $SSH_CONNECTION'")).toContain("10.94.4.2 22");
      await run("qemu-img create -q -f qcow2 disk.qcow2 16M && cp disk.qcow2 kept.qcow2 && : > install.iso");
      await run(
        "cloonix_cli NET add kvm k ram=64 cpu=1 kept.qcow2 --persistent --ssh=admin,id_ed25519 --install_cdrom=install.iso",
      );
      expect(await run("cloonix_cli NET lst")).toContain(
        `kept.qcow2 --persistent --ssh=admin,${cloonix.site.folder}/id_ed25519 --added_cdrom=`,
      );
    });
  },
);

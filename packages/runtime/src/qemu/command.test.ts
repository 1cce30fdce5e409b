import { describe, expect, test } from "bun:test";
import { parseMac } from "@switchyard/base";
import {
  bridgesFor,
  checkConfig,
  type Descriptors,
  nicDevice,
  pciAddress,
  qemuArguments,
  roomForNics,
} from "./command.ts";
import { MOST_NICS } from "./limits.ts";
import { machinePaths, machineUuid, vmPaths } from "./paths.ts";
import type { VmConfig } from "./types.ts";
import { unprivileged, vmUser } from "./user.ts";

const nic = { index: 0, tap: "_k_1_0", mac: parseMac("02:00:00:00:00:01"), offloads: true };
const config: VmConfig = {
  name: "main_vm",
  memory: 512,
  cpus: 2,
  disks: [{ file: "/images/a.qcow2", format: "qcow2", persistent: false }],
  isos: [],
  nics: [nic],
  guestAgent: false,
  labels: {},
};
const open: Descriptors = {
  ...{ control: 3, events: 4, status: 10, console: 5, agent: undefined, consoleLog: 6 },
  disks: [
    [
      { format: "qcow2", descriptor: 7 },
      { format: "raw", descriptor: 8 },
    ],
  ],
  ...{ isos: [], kernel: undefined, initrd: undefined, taps: new Map([[0, 9]]) },
};

function problem(changes: Partial<VmConfig>): string {
  try {
    checkConfig({ ...config, ...changes });
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "vm.bad-config") return error.message;
    throw error;
  }
  return "";
}

describe("a virtual machine's command line", () => {
  test("gives every nic a slot of its own", () => {
    const places = Array.from({ length: MOST_NICS }, (_, index) => Object.values(pciAddress(index)).join(" "));
    expect(new Set(places).size).toBe(MOST_NICS);
    expect(MOST_NICS).toBeGreaterThanOrEqual(128);
    expect(places[0]).toBe("pci.0 0x5");
    expect(places[20]).toBe("pci.0 0x19");
    expect(places[21]).toBe("bridge0 0x1");
    expect([bridgesFor(21), bridgesFor(22), bridgesFor(52), bridgesFor(53)]).toEqual([0, 1, 1, 2]);
    expect(roomForNics(config)).toBe(21);
    expect(roomForNics({ ...config, mostNics: 22 })).toBe(52);
  });

  test("names every layer of a disk by an open file, and lets an image name none", () => {
    const args = qemuArguments(config, "uuid", { name: "tcg", reason: "" }, open);
    const block = JSON.parse(args[args.indexOf("-blockdev") + 1] ?? "");
    expect(block).toEqual({
      ...{ "node-name": "disk0", driver: "qcow2", "read-only": false, discard: "unmap" },
      file: { driver: "file", filename: expect.stringMatching(/^\/dev\/fdset\/\d$/), "read-only": false },
      backing: {
        ...{ driver: "raw", "read-only": true },
        file: { driver: "file", filename: expect.stringMatching(/^\/dev\/fdset\/\d$/), "read-only": true },
      },
    });
    const sets = args.filter((_, at) => args[at - 1] === "-add-fd").map((set) => set.replace(/,set=\d+$/, ""));
    expect(sets.sort()).toEqual(["fd=6", "fd=7", "fd=8"]);
    expect(args.join(" ")).not.toContain("/images");
    const alone = { ...open, disks: [[{ format: "qcow2", descriptor: 7 }]] };
    const plain = qemuArguments(config, "uuid", { name: "tcg", reason: "" }, alone);
    expect(JSON.parse(plain[plain.indexOf("-blockdev") + 1] ?? "")).toMatchObject({ backing: null });
  });

  test("leaves checksums and segments to a switch only where it can do them", () => {
    expect(nicDevice(nic)).toEqual({
      ...{ driver: "virtio-net-pci", id: "nic0", netdev: "net0", mac: nic.mac, romfile: "", bus: "pci.0", addr: "0x5" },
    });
    expect(nicDevice({ ...nic, index: 48 })).toMatchObject({ vectors: 0 });
    expect(nicDevice({ ...nic, offloads: false })).toMatchObject({ csum: false, gso: false, guest_csum: false });
  });

  test("takes KVM with the host's processor, or translates for the fullest one", () => {
    const words = (name: "kvm" | "tcg") => qemuArguments(config, "uuid", { name, reason: "" }, open).join(" ");
    expect(words("kvm")).toContain("-machine pc,accel=kvm -cpu host -m 512M -smp 2");
    expect(words("tcg")).toContain("-machine pc,accel=tcg -cpu max");
  });

  test("refuses what QEMU could not do, saying which value", () => {
    expect(problem({})).toBe("");
    expect(problem({ memory: 0 })).toContain("0 MiB");
    expect(problem({ cpus: 129 })).toContain("129 processors");
    expect(problem({ disks: [] })).toContain("nothing to boot from");
    expect(problem({ disks: Array(9).fill(config.disks[0]) })).toContain("9 disks");
    expect(problem({ isos: ["/a", "/b", "/c"], seed: { metaData: "", userData: "" } })).toContain("optical");
    expect(problem({ isos: ["a.iso"] })).toContain('"a.iso"');
    expect(problem({ nics: [nic, nic] })).toContain("same number");
    expect(problem({ nics: [{ ...nic, index: MOST_NICS }] })).toContain(`number ${MOST_NICS}`);
    expect(problem({ mostNics: 500 })).toContain("nics");
  });
});

describe("a virtual machine's names", () => {
  const paths = vmPaths({ stateDir: "/var/lib/switchyard", runDir: "/run/switchyard/main" });

  test("its UUID is the same in all its lives, and no other's", () => {
    const uuid = machineUuid(machinePaths(paths, "a"));
    expect(uuid).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(machineUuid(machinePaths(paths, "a"))).toBe(uuid);
    expect(machineUuid(machinePaths(paths, "b"))).not.toBe(uuid);
  });

  test("the paths of its sockets are short however long its name is", () => {
    const [one, two] = ["a", "b"].map((end) => machinePaths(paths, `${"x".repeat(127)}${end}`).console);
    expect(one?.length).toBeLessThan(107);
    expect(one).not.toBe(two);
  });

  test("it runs as the most fitting user that there is, never root", () => {
    const nobody = "nobody:x:65534:65534::/:/bin/false\n";
    expect(vmUser(`root:x:0:0::/:/bin/sh\n${nobody}`)).toEqual({ uid: 65534, gid: 65534 });
    expect(vmUser(`${nobody}libvirt-qemu:x:64055:106::/:/bin/false`)).toEqual({ uid: 64055, gid: 106 });
    expect(vmUser(`${nobody}switchyard-vm:x:0:0::/:/bin/sh`)).toEqual({ uid: 65534, gid: 65534 });
    expect(vmUser("")).toEqual({ uid: 65534, gid: 65534 });
    expect(unprivileged({ uid: 7, gid: 8 }, [9]).join(" ")).toContain("--reuid=7 --regid=8 --groups=9");
  });
});

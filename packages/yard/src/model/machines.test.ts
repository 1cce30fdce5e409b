import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { YardErrors } from "@switchyard/base";
import { parseLab } from "./parse.ts";
import type { VmSpec } from "./types.ts";

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "tvmmodel-"));
  mkdirSync(join(folder, "images"));
  mkdirSync(join(folder, "tree"));
  writeFileSync(join(folder, "disk.qcow2"), "QFI\xfb…", "latin1");
  writeFileSync(join(folder, "images", "debian.qcow2"), "QFI\xfb…", "latin1");
  for (const name of ["flat.img", "vmlinuz", "initrd", "user-data"]) writeFileSync(join(folder, name), `${name}\n`);
  writeFileSync(join(folder, "much"), "x".repeat(300 * 1024));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function read(nodes: string, more = "") {
  const text = `name: x\nnetworks: { lan: {}, wire: { type: passthrough, parent: eth9 }, seen: { cidr: 10.1.0.0/24, gateway: 10.1.0.254 } }\n${more}nodes:\n  ${nodes}\n`;
  return parseLab(text, { file: join(folder, "x.yard.yaml"), environment: {}, images: join(folder, "images") }).lab;
}

function machine(keys: string, more = ""): VmSpec {
  const [node] = read(`vm: { kind: vm, ${keys} }`, more).nodes;
  if (node?.kind !== "vm") throw new Error("it is no machine");
  return node;
}

/** The errors of a file, as `line:column code`. */
function errors(nodes: string, more = ""): string[] {
  try {
    read(nodes, more);
  } catch (thrown) {
    if (!(thrown instanceof YardErrors)) throw thrown;
    return thrown.errors.map(({ where, code }) => `${where?.split(":").slice(1).join(":")} ${code}`);
  }
  return [];
}

test("an image is looked for beside the lab file, then among the host's, and its disk is thrown away unless persistent", () => {
  expect(machine("image: disk.qcow2")).toMatchObject({
    disks: [{ file: join(folder, "disk.qcow2"), format: "qcow2", persistent: false }],
    memory: 512 * 1024 * 1024,
    cpus: 1,
    guestAgent: true,
    rebootEnds: false,
    maxNics: 21,
    cloudInit: undefined,
    kernel: undefined,
    sysctls: {},
    env: {},
    exec: [],
  });
  expect(machine("image: debian.qcow2").disks[0]?.file).toBe(join(folder, "images", "debian.qcow2"));
  const { disks } = machine(
    "image: disk.qcow2, persistent: true, disks: [debian.qcow2, { file: flat.img, format: raw }]",
  );
  expect(disks.map(({ persistent, format }) => [persistent, format])).toEqual([
    [true, "qcow2"],
    [false, "qcow2"],
    [false, "raw"],
  ]);
});

test("what the defaults say of machines is taken where one says nothing", () => {
  const defaults = "defaults: { vm: { kernel: vmlinuz, initrd: initrd, append: quiet, memory: 1.5G, cpus: 2 } }\n";
  expect(machine("memory: 64M", defaults)).toMatchObject({
    kernel: { image: join(folder, "vmlinuz"), initrd: join(folder, "initrd"), append: "quiet" },
    memory: 64 * 1024 * 1024,
    cpus: 2,
  });
});

test("cloud-init is told by a text, a mapping, a file or true", () => {
  const told = (keys: string) => machine(`image: disk.qcow2, cloud_init: ${keys}`).cloudInit;
  expect(told("true")).toEqual({ userData: "#cloud-config\n{}\n", metaData: {}, network: "nics" });
  expect(told('{ user_data: "#!/bin/sh" }')?.userData).toBe("#!/bin/sh");
  expect(told("{ user_data: { password: 02:00, packages: [nginx] } }")?.userData).toBe(
    '#cloud-config\npassword: "02:00"\npackages:\n  - nginx\n',
  );
  expect(told("{ user_data_file: user-data, meta_data: { instance-id: 007 }, network: none }")).toEqual({
    userData: "user-data\n",
    metaData: { "instance-id": "007" },
    network: "none",
  });
  expect(told('{ network: "version: 2" }')?.network).toEqual({ text: "version: 2" });
  expect(told("false")).toBeUndefined();
});

test("it has room for the nics that it has, and for more where that is said", () => {
  expect(machine("image: disk.qcow2, max_nics: 100").maxNics).toBe(100);
  const many = Array.from({ length: 128 }, () => "lan").join(", ");
  expect(machine(`image: disk.qcow2, nics: [${many}]`).maxNics).toBe(128);
});

const refused: Readonly<Record<string, readonly [nodes: string, ...expected: string[]]>> = {
  "an image that is nowhere": ["vm: { kind: vm, image: nowhere.qcow2 }", "4:26 image.absent"],
  "an image that is a folder": ["vm: { kind: vm, image: ./tree }", "4:26 image.absent"],
  "an image of another format": ["vm: { kind: vm, image: flat.img }", "4:26 image.wrong-format"],
  "a qcow2 image that is said to be raw": [
    "vm: { kind: vm, image: disk.qcow2, format: raw }",
    "4:26 image.wrong-format",
  ],
  "a further disk that is nowhere": ["vm: { kind: vm, image: disk.qcow2, disks: [{ file: no }] }", "4:54 image.absent"],
  "nothing to boot from": ["vm: { kind: vm }", "4:3 vm.nothing-to-boot"],
  "too much memory": ["vm: { kind: vm, image: disk.qcow2, memory: 600000M }", "4:46 lab.out-of-range"],
  "too many processors": ["vm: { kind: vm, image: disk.qcow2, cpus: 129 }", "4:44 lab.out-of-range"],
  "too many disks": [
    `vm: { kind: vm, image: disk.qcow2, disks: [${Array(8).fill("disk.qcow2").join(", ")}] }`,
    "4:38 vm.too-many-disks",
  ],
  "too many optical media": [
    "vm: { kind: vm, iso: [flat.img, flat.img, flat.img], cloud_init: true }",
    "4:19 vm.too-many-isos",
  ],
  "more nics than there shall be room for": [
    "vm: { kind: vm, image: disk.qcow2, max_nics: 1, nics: [lan, lan] }",
    "4:48 lab.out-of-range",
  ],
  "more nics than a machine can have": ["vm: { kind: vm, image: disk.qcow2, max_nics: 146 }", "4:48 lab.out-of-range"],
  "more nics than fit into one": [
    `vm: { kind: vm, image: disk.qcow2, nics: [${Array(146).fill("lan").join(", ")}] }`,
    "4:38 lab.out-of-range",
  ],
  "what belongs to an image without one": ["vm: { kind: vm, kernel: vmlinuz, format: raw }", "4:36 vm.key-of-image"],
  "what belongs to a kernel without one": ["vm: { kind: vm, image: disk.qcow2, append: x }", "4:38 vm.key-of-kernel"],
  "two kinds of user data": [
    "vm: { kind: vm, image: disk.qcow2, cloud_init: { user_data: x, user_data_file: user-data } }",
    "4:66 vm.two-user-data",
  ],
  "more user data than a row should hold": [
    "vm: { kind: vm, image: disk.qcow2, cloud_init: { user_data_file: much } }",
    "4:68 vm.user-data-too-large",
  ],
  "two that write into one image": [
    "a: { kind: vm, image: disk.qcow2, persistent: true }\n  b: { kind: vm, image: disk.qcow2, persistent: true }",
    "5:3 image.shared",
  ],
  "one that writes into what another's overlay lies on": [
    "a: { kind: vm, image: disk.qcow2 }\n  b: { kind: vm, disks: [{ file: ./disk.qcow2, persistent: true }] }",
    "5:3 image.shared",
  ],
  "several that write into one image": [
    "vm: { kind: vm, count: 2, image: disk.qcow2, persistent: true }",
    "4:3 image.shared",
  ],
  "a published port that the host has no way to": [
    'vm: { kind: vm, image: disk.qcow2, ports: ["80:80"], nics: [lan] }',
    "4:38 port.no-way",
  ],
  "what only others have": ["vm: { kind: vm, image: disk.qcow2, exec: [ls] }", "4:38 lab.unknown-key"],
  "a passthrough": ["vm: { kind: vm, image: disk.qcow2, nics: [wire] }", "4:45 nic.type-refused"],
};

for (const [what, [nodes, ...expected]] of Object.entries(refused))
  test(`${what} is refused where it is written`, () => expect(errors(nodes)).toEqual(expected));

test("ports are published where the host has a way, and several machines share an image that nobody writes into", () => {
  expect(errors('vm: { kind: vm, image: disk.qcow2, ports: ["80:80"], nics: [seen] }')).toEqual([]);
  expect(errors('vm: { kind: vm, image: disk.qcow2, ports: ["80:80"], nics: [default] }')).toEqual([]);
  expect(errors("vm: { kind: vm, count: 3, image: disk.qcow2 }\n  b: { kind: vm, image: disk.qcow2 }")).toEqual([]);
});

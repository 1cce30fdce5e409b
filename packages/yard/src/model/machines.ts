/** The keys that only virtual machines have. */
import { closeSync, existsSync, openSync, readFileSync, readSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { YardError } from "@switchyard/base";
import { DIRECT_NICS, MOST_DISKS, MOST_ISOS, MOST_MEMORY, MOST_NICS } from "@switchyard/runtime/vm-limits";
import { stringify } from "yaml";
import { Given } from "./given.ts";
import type { Path } from "./places.ts";
import type { Reading, Written } from "./reading.ts";
import type { VmFile } from "./schema-nodes.ts";
import type { CloudInitSpec, DiskSpec, KernelSpec, NetworkSpec, NicSpec, SshSpec, VmSpec } from "./types.ts";
import { parseMemory } from "./values.ts";

/** What a virtual machine is beside a node. */
export type VmPart = Omit<VmSpec, "name" | "nics" | "routes" | "sysctls" | "env" | "ports" | "exec">;

const MIB = 1024 * 1024;
const DEFAULT_MEMORY = 512 * MIB;
/** Bytes of user data: more than cloud-init's users have, and little in a row of the store. */
const MOST_USER_DATA = 256 * 1024;

/** Reads them. */
export function readMachine(file: VmFile, path: Path, nics: number, reading: Reading): VmPart {
  const given = new Given<VmFile>(file, path, reading.data.defaults?.vm, ["defaults", "vm"]);
  const disks = readDisks(given, reading);
  const isos = reading.each(given.path("iso"), given.get("iso"), (text) => findFile(text, "image", reading));
  const kernel = readKernel(given, reading);
  const cloudInit = readCloudInit(given, reading);
  const optical = isos.length + (cloudInit === undefined ? 0 : 1);
  if (optical > MOST_ISOS)
    reading.places.report(
      given.path("iso"),
      () =>
        new YardError("vm.too-many-isos", `a vm has at most ${MOST_ISOS} optical media, that of cloud_init among them`),
    );
  const named = [given.get("image"), given.get("iso"), given.get("kernel"), given.get("disks")?.at(0)];
  if (named.every((entry) => entry === undefined) && !isUnsure(path, reading))
    reading.places.reportKey(
      path,
      () =>
        new YardError("vm.nothing-to-boot", `vm "${path.at(-1)}" has nothing to boot from`, {
          hint: "name an image, a kernel or an iso: for instance `image: debian.qcow2`",
        }),
    );
  return {
    kind: "vm",
    disks: disks.map(({ value }) => value),
    isos: isos.map(({ value }) => value),
    kernel,
    memory: readMemory(given, reading),
    cpus: given.get("cpus") ?? 1,
    cloudInit,
    guestAgent: given.get("guest_agent") ?? true,
    ssh: readSsh(given, reading),
    rebootEnds: given.get("reboot") === "end",
    maxNics: readMaxNics(given, nics, reading),
  };
}

/** What useradd(8) takes; it never looks like an option of ssh's. */
const USER = /^[a-z_][a-z0-9_.-]{0,31}$/i;

function readSsh(given: Given<VmFile>, reading: Reading): SshSpec | undefined {
  const written = given.get("ssh");
  if (written === undefined) return undefined;
  const { user, key, port = 22 } = typeof written === "string" ? { user: written } : written;
  if (!USER.test(user))
    reading.places.report(given.path("ssh"), () => new YardError("vm.bad-user", `"${user}" is not the name of a user`));
  return { user, key: key === undefined ? undefined : resolve(reading.folder, key), port };
}

function isUnsure(path: Path, reading: Reading): boolean {
  return ["image", "iso", "kernel", "disks"].some(
    (key) => reading.unsure([...path, key]) || reading.unsure(["defaults", "vm", key]),
  );
}

function readDisks(given: Given<VmFile>, reading: Reading): Written<DiskSpec>[] {
  const image = given.get("image");
  const first = image === undefined ? [] : [readDisk(image, given.path("image"), given, reading)];
  if (image === undefined)
    for (const key of ["format", "persistent"] as const)
      if (given.get(key) !== undefined)
        reading.places.reportKey(
          given.path(key),
          () =>
            new YardError("vm.key-of-image", `"${key}" says something of "image", and there is none`, {
              hint: `write it with the disk: disks: [{ file: …, ${key}: … }]`,
            }),
        );
  const others = (given.get("disks") ?? []).map((entry, index) => {
    const at = [...given.path("disks"), index];
    return typeof entry === "string"
      ? readDisk(entry, at, undefined, reading)
      : readDisk(entry.file, [...at, "file"], entry, reading);
  });
  const all = [...first, ...others].flatMap((disk) => disk ?? []);
  if (first.length + others.length > MOST_DISKS)
    reading.places.report(
      given.path("disks"),
      () => new YardError("vm.too-many-disks", `a vm has at most ${MOST_DISKS} disks, its image among them`),
    );
  return all;
}

/** What is said of a disk beside its file. */
interface DiskWords {
  readonly format?: "qcow2" | "raw" | undefined;
  readonly persistent?: boolean | undefined;
}

function readDisk(
  text: string,
  path: Path,
  words: DiskWords | Given<VmFile> | undefined,
  reading: Reading,
): Written<DiskSpec> | undefined {
  const said = words instanceof Given ? { format: words.get("format"), persistent: words.get("persistent") } : words;
  const format = said?.format ?? "qcow2";
  const file = reading.parse(path, text, (name) => {
    const found = findFile(name, "image", reading);
    checkFormat(found, format);
    return found;
  });
  return file === undefined ? undefined : { value: { file, format, persistent: said?.persistent ?? false }, path };
}

/** What QCOW2 images begin with (docs/interop/qcow2.txt of QEMU). */
const QCOW2 = "QFI\xfb";

/** A wrong format is told here; whether the image is whole, and free, when the machine is made. */
function checkFormat(file: string, format: DiskSpec["format"]): void {
  const begins = firstBytes(file, QCOW2.length);
  if (begins === undefined || (begins === QCOW2) === (format === "qcow2")) return;
  throw new YardError(
    "image.wrong-format",
    format === "qcow2" ? `${file} is no qcow2 image` : `${file} is a qcow2 image, and no raw one`,
    {
      hint: format === "qcow2" ? "write format: raw, or convert it: qemu-img convert -O qcow2" : "write format: qcow2",
    },
  );
}

/** Undefined for what cannot be read, which is told when the machine is made. */
function firstBytes(file: string, count: number): string | undefined {
  try {
    const fd = openSync(file, "r");
    try {
      const buffer = Buffer.alloc(count);
      readSync(fd, buffer, 0, count, 0);
      return buffer.toString("latin1");
    } finally {
      closeSync(fd);
    }
  } catch {
    return undefined;
  }
}

/**
 * A file of a machine: a bare name is looked for beside the lab file, then among the images of this host.
 *
 * @throws YardError `image.absent`, `image.bad-name`
 */
function findFile(text: string, what: string, reading: Reading): string {
  if (text === "" || text.includes("\0")) throw new YardError("image.bad-name", `the ${what} has no name`);
  const beside = resolve(reading.folder, text);
  const places = text.includes("/") ? [beside] : [beside, join(reading.images, text)];
  const found = places.find((place) => existsSync(place));
  if (found === undefined)
    throw new YardError("image.absent", `there is no ${what} ${places.join(", nor ")}`, {
      hint: "a path is relative to the lab file",
    });
  if (statSync(found).isDirectory()) throw new YardError("image.absent", `the ${what} ${found} is a folder`);
  return found;
}

function readKernel(given: Given<VmFile>, reading: Reading): KernelSpec | undefined {
  const image = given.get("kernel");
  if (image === undefined) {
    for (const key of ["initrd", "append"] as const)
      if (given.get(key) !== undefined)
        reading.places.reportKey(
          given.path(key),
          () =>
            new YardError("vm.key-of-kernel", `"${key}" is for a kernel that is booted directly, and none is named`, {
              hint: "name it as `kernel`; what an image boots is said in the image",
            }),
        );
    return undefined;
  }
  const initrd = given.get("initrd");
  return {
    image: reading.parse(given.path("kernel"), image, (text) => findFile(text, "kernel", reading)) ?? "",
    initrd:
      initrd === undefined
        ? undefined
        : reading.parse(given.path("initrd"), initrd, (text) => findFile(text, "initrd", reading)),
    append: given.get("append"),
  };
}

function readMemory(given: Given<VmFile>, reading: Reading): number {
  const bytes = reading.parse(given.path("memory"), given.get("memory"), (size) => {
    if (size === undefined) return DEFAULT_MEMORY;
    const memory = parseMemory(size);
    if (memory <= MOST_MEMORY * MIB) return Math.floor(memory / MIB) * MIB;
    throw new YardError("lab.out-of-range", `the "memory" of a vm is at most ${MOST_MEMORY} MiB`);
  });
  return bytes ?? DEFAULT_MEMORY;
}

function readMaxNics(given: Given<VmFile>, nics: number, reading: Reading): number {
  const written = given.get("max_nics");
  if (written !== undefined && nics > written)
    reading.places.report(
      given.path("max_nics"),
      () => new YardError("lab.out-of-range", `"max_nics" is ${written}, and the vm has ${nics} nics`),
    );
  if (written === undefined && nics > MOST_NICS)
    reading.places.report(
      given.path("nics"),
      () => new YardError("lab.out-of-range", `the vm has ${nics} nics, and ${MOST_NICS} at most fit into one`),
    );
  return written ?? Math.max(DIRECT_NICS, nics);
}

function readCloudInit(given: Given<VmFile>, reading: Reading): CloudInitSpec | undefined {
  const written = given.get("cloud_init");
  if (written === undefined || written === false) return undefined;
  const path = given.path("cloud_init");
  if (written === true) return { userData: EMPTY_USER_DATA, metaData: {}, network: "nics" };
  const { user_data: inline, user_data_file: file, network = "nics" } = written;
  if (inline !== undefined && file !== undefined)
    reading.places.reportKey(
      [...path, "user_data_file"],
      () =>
        new YardError("vm.two-user-data", "there is both user_data and user_data_file", {
          hint: "take one of the two out",
        }),
    );
  const text =
    file === undefined
      ? userDataText(inline)
      : reading.parse([...path, "user_data_file"], file, (name) => {
          const found = findFile(name, "user data", reading);
          const about = statSync(found);
          // A device has no size, and a pipe no end.
          if (about.isFile() && about.size <= MOST_USER_DATA) return readFileSync(found, "utf8");
          throw new YardError(
            "vm.user-data-too-large",
            `${found} is no file, or has more than ${MOST_USER_DATA / 1024} KiB`,
          );
        });
  const metaData = Object.fromEntries(
    reading.places.keys([...path, "meta_data"]).flatMap((key) => {
      const value = reading.places.spelled([...path, "meta_data", key]);
      return value === undefined ? [] : [[key, value] as const];
    }),
  );
  return {
    userData: text ?? EMPTY_USER_DATA,
    metaData,
    network: network === "nics" || network === "none" ? network : { text: network },
  };
}

/** cloud-init takes a volume for its own only if it has user data. */
const EMPTY_USER_DATA = "#cloud-config\n{}\n";

function userDataText(written: string | Readonly<Record<string, unknown>> | undefined): string {
  if (written === undefined) return EMPTY_USER_DATA;
  return typeof written === "string" ? written : `#cloud-config\n${stringify(written, { version: "1.1" })}`;
}

/** An image that a machine writes into is nobody else's, neither as an image nor to lay an overlay over. */
export class Writers {
  private readonly users = new Map<string, { readonly node: string; readonly writes: boolean }>();

  constructor(private readonly reading: Reading) {}

  add(node: string, disks: readonly DiskSpec[], count: number, path: Path): void {
    for (const { file, persistent } of disks) {
      const other = this.users.get(file);
      const shared = persistent && count > 1;
      if (shared || (other !== undefined && (persistent || other.writes)))
        this.reading.places.reportKey(
          path,
          () =>
            new YardError(
              "image.shared",
              shared
                ? `${count} machines cannot write into one image, ${file}`
                : `"${node}" and "${other?.node}" have one image, ${file}, and one of them writes into it`,
              { hint: "leave persistent away: each then writes to an overlay of its own, or make a copy of the image" },
            ),
        );
      this.users.set(file, { node, writes: persistent || (other?.writes ?? false) });
    }
  }
}

/** Published ports are reached from the host, which therefore has to be on a network of the machine. */
export function checkWay(
  name: string,
  nics: readonly NicSpec[],
  networks: ReadonlyMap<string, NetworkSpec>,
  path: Path,
  reading: Reading,
): void {
  const sees = nics.some(({ network }) => {
    const spec = network === undefined ? undefined : networks.get(network);
    return spec !== undefined && (spec.type === "nat" || spec.gateway.length > 0);
  });
  if (sees) return;
  reading.places.reportKey(
    [...path, "ports"],
    () =>
      new YardError("port.no-way", `the host reaches no nic of "${name}", so no port of it can be published`, {
        hint: "put a nic on the network `default`, or give one of its networks a gateway",
      }),
  );
}

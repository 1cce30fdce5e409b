/** `cloonix_cli NET add …`: items as a lab file has them. */
import { existsSync, statSync } from "node:fs";
import { resolve } from "node:path";
import type { FilePart } from "@switchyard/yard/model";
import type { Addition, Item } from "./command.ts";
import { yardOf } from "./nets.ts";
import type { Words } from "./words.ts";

/** What runs each of the containers. */
const RUNTIMES = { cru: "oci", zip: "oci", cvm: "oci", doc: "docker", pod: "podman" } as const;

/** What a container of which nobody says what it runs does, as cloonix has it. */
export const IDLE = ["sleep", "7777d"] as const;

/** The shell that a container's command is handed to. */
export const LAUNCH = ["/bin/sh", "-c"] as const;

/** What keeps a container's interfaces in its own hands. */
const CAPABILITIES = ["NET_ADMIN"];

/**
 * Reads what follows `add` and the kind.
 *
 * @param cwd where the caller stands
 * @throws YardError `cloonix.bad-word`, `cloonix.left-out`, `cloonix.bad-net`
 */
export function parseItem(item: Item, words: Words, cwd: string): Addition {
  const name = words.take("<name>");
  switch (item) {
    case "kvm":
      return { name, ...machine(words, cwd) };
    case "cru":
    case "zip":
    case "cvm":
    case "doc":
    case "pod":
      return { name, node: container(item, words, cwd) };
    case "tap":
      words.end();
      return { name, node: { kind: "tap", nics: [{ network: "none", name }] } };
    case "a2b":
      words.end();
      return { name, node: { kind: "a2b", nics: ["none", "none"] } };
    case "nat": {
      const { values, options, others } = sort(words, ["cidr"]);
      const [other] = [...options.map(([option]) => `--${option}`), ...others];
      if (other !== undefined) throw words.wrong(`"${other}" is one word too many`);
      const cidr = values.get("cidr");
      return { name, node: { kind: "nat", nics: ["none"], ...(cidr === undefined ? {} : { cidr: cidr.split(",") }) } };
    }
    case "phy": {
      const mode = words.oneOf(["absorb", "macvlan"], "absorb or macvlan");
      // A NIC may have several of mode macvlan.
      const [own = name, more] = words.rest();
      if (more !== undefined) throw words.wrong(`"${more}" is one word too many`);
      return { name: own, node: { kind: "phy", parent: name, mode, nics: ["none"] } };
    }
    case "c2c": {
      const yard = yardOf(words.take("<distant_net>"));
      words.end();
      return { name, node: { kind: "c2c", yard, nics: ["none"] } };
    }
  }
}

/** The words of an item: those of the form `name=value`, options, and the others. */
interface Sorted {
  readonly values: ReadonlyMap<string, string>;
  readonly options: readonly (readonly [name: string, value: string | undefined])[];
  readonly others: readonly string[];
}

function sort(words: Words, names: readonly string[]): Sorted {
  const values = new Map<string, string>();
  const options: [string, string | undefined][] = [];
  const others: string[] = [];
  for (const word of words.rest()) {
    const at = word.indexOf("=");
    const [name, value] = at < 0 ? [word, undefined] : [word.slice(0, at), word.slice(at + 1)];
    if (word.startsWith("--")) options.push([name.slice(2), value]);
    else if (value === undefined || !names.includes(name)) others.push(word);
    else values.set(name, value);
  }
  return { values, options, others };
}

/** The one word that is neither. */
function imageOf({ others }: Sorted, words: Words): string {
  const [image, another] = others;
  if (image === undefined || image === "") throw words.wrong("the image is missing");
  if (another !== undefined) throw words.wrong(`"${another}" is one word too many`);
  return image;
}

/** `s` is an interface that is spied on, `v` another one; all are there before they are on any lan. */
function nics(letters: string, words: Words): Record<string, unknown>[] {
  return [...letters].map((letter) => {
    if (letter === "s") return { network: "none", spy: true };
    if (letter === "v") return { network: "none" };
    throw words.wrong(`"${letter}" in eth= is neither s, an interface to spy on, nor v`);
  });
}

/** `eth0:02:…` */
function setMac(list: readonly Record<string, unknown>[], value: string, words: Words): void {
  const [, number = "", mac] = /^eth(\d{1,3}):(.+)$/.exec(value) ?? [];
  const nic = list[Number(number)];
  if (mac === undefined || nic === undefined)
    throw words.wrong(`--mac_addr=${value} is not eth<n>:<mac> of an interface it has`);
  nic.mac = mac;
}

function machine(words: Words, cwd: string): Omit<Addition, "name"> {
  const sorted = sort(words, ["ram", "cpu", "eth"]);
  const { values, options } = sorted;
  const number = (name: string) => {
    const value = values.get(name);
    if (value === undefined) throw words.wrong(`${name}= is missing`);
    return words.asNumber(value, name);
  };
  const list = nics(values.get("eth") ?? "", words);
  const disks: string[] = [];
  const isos: string[] = [];
  let natplug: number | undefined;
  const node: Record<string, unknown> = {
    kind: "vm",
    image: imageOf(sorted, words),
    memory: `${number("ram")}M`,
    cpus: number("cpu"),
    nics: list,
  };
  for (const [name, value] of options) {
    const given = () => {
      if (value) return value;
      throw words.wrong(`--${name}= needs a value`);
    };
    switch (name) {
      case "persistent":
        node.persistent = true;
        break;
      case "no_qemu_ga":
        node.guest_agent = false;
        break;
      case "ssh": {
        const [user, key] = given().split(",");
        node.ssh = { user, ...(key === undefined ? {} : { key: resolve(cwd, key) }) };
        break;
      }
      case "no_reboot":
        node.reboot = "end";
        break;
      case "install_cdrom":
        isos.unshift(given());
        break;
      case "added_cdrom":
        isos.push(given());
        break;
      case "added_disk":
        disks.push(given());
        break;
      case "mac_addr":
        setMac(list, given(), words);
        break;
      case "natplug":
        natplug = words.asNumber(given(), "--natplug");
        if (list[natplug] === undefined) throw words.wrong(`--natplug=${natplug} is no interface of eth=`);
        break;
      case "vwifi":
        throw words.leftOut("Wi-Fi", "a lan between the machines, with `cnf a2b` for loss and delay");
      case "with_pxe":
      case "fullvirt":
      case "balloon":
        throw words.leftOut(`--${name}`, "see docs/cloonix.md");
      default:
        throw words.wrong(`"--${name}" is no option of kvm`);
    }
  }
  if (disks.length > 0) node.disks = disks;
  if (isos.length > 0) node.iso = isos;
  return { node, ...(natplug === undefined ? {} : { natplug }) };
}

function container(item: keyof typeof RUNTIMES, words: Words, cwd: string): FilePart {
  const sorted = sort(words, ["eth"]);
  const image = imageOf(sorted, words);
  const list = nics(sorted.values.get("eth") ?? "", words);
  const runtime = RUNTIMES[item];
  const folder = runtime === "oci" ? folderOf(image, cwd) : undefined;
  const archive = runtime === "oci" && folder === undefined && existsSync(resolve(cwd, image));
  const node: Record<string, unknown> = {
    kind: "container",
    runtime,
    nics: list,
    cap_add: CAPABILITIES,
    ...(folder === undefined ? { image: archive ? resolve(cwd, image) : image } : { rootfs: folder, command: IDLE }),
  };
  for (const [name, value = ""] of sorted.options)
    switch (name) {
      case "startup_env":
        node.env = Object.fromEntries(blanked(value).map((pair) => pairOf(pair, words)));
        break;
      case "vmount":
        node.binds = blanked(value);
        break;
      case "customer_launch":
        node.command = [...LAUNCH, value];
        break;
      case "mac_addr":
        setMac(list, value, words);
        break;
      case "privileged":
        node.privileged = true;
        break;
      case "persistent":
        throw words.leftOut("--persistent", "what shall stay goes to a folder of the host: --vmount=/kept:/data");
      case "vwifi":
        throw words.leftOut("Wi-Fi", "a lan between the containers, with `cnf a2b` for loss and delay");
      default:
        throw words.wrong(`"--${name}" is no option of ${item}`);
    }
  return node;
}

/** A root file system in the caller's folder; an OCI layout is none, but an image. */
function folderOf(image: string, cwd: string): string | undefined {
  const path = resolve(cwd, image);
  return existsSync(path) && statSync(path).isDirectory() && !existsSync(`${path}/oci-layout`) ? path : undefined;
}

function blanked(text: string): string[] {
  return text.split(" ").filter((word) => word !== "");
}

function pairOf(pair: string, words: Words): readonly [string, string] {
  const at = pair.indexOf("=");
  if (at < 1) throw words.wrong(`"${pair}" in --startup_env is not NAME=VALUE`);
  return [pair.slice(0, at), pair.slice(at + 1)];
}

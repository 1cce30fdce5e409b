import type { FilePart } from "@switchyard/yard/model";
import type { Command } from "commander";
import { parseNicWord } from "../commanded.ts";
import { examples, JSON_HELP, NIC_HELP } from "../help.ts";
import { repeated, wholeNumber } from "../options.ts";
import type { CommonOptions } from "../session.ts";

/** Of `yard add vm`; what they mean stands in the lab file's reference. */
interface Options extends CommonOptions {
  readonly network: readonly string[];
  readonly nic: readonly string[];
  readonly publish: readonly string[];
  readonly image?: string;
  readonly format?: string;
  readonly persistent?: boolean;
  readonly disk: readonly string[];
  readonly iso: readonly string[];
  readonly kernel?: string;
  readonly initrd?: string;
  readonly append?: string;
  readonly cpus?: number;
  readonly memory?: string;
  readonly cloudInit?: boolean;
  readonly userData?: string;
  readonly guestAgent: boolean;
  readonly ssh?: string;
  readonly key?: string;
}

/** `yard add vm NAME` */
export function defineVm(
  command: Command,
  add: (name: string, options: CommonOptions, node: FilePart) => Promise<void>,
): void {
  command
    .argument("<name>", "its name")
    .option("--image <file>", "image of its first disk, here or among the images of this host")
    .option("--format <format>", "of the image, qcow2 or raw (default: qcow2)")
    .option("--persistent", "write into the image itself, not into an overlay that goes with the node")
    .option("--disk <file>", "image of a further disk, FILE[,format=raw][,persistent] (may be repeated)", repeated, [])
    .option("--iso <file>", "ISO image in an optical drive (may be repeated)", repeated, [])
    .option("--kernel <file>", "kernel to boot directly")
    .option("--initrd <file>", "initial RAM disk of the kernel")
    .option("--append <text>", "command line of the kernel")
    .option("--cpus <count>", "processors (default: 1)", wholeNumber(1, 128))
    .option("-m, --memory <size>", "memory, such as 1G (default: 512M)")
    .option("--cloud-init", "a volume for cloud-init with its name and nics")
    .option("--user-data <file>", "the same, with this user data")
    .option("--no-guest-agent", "without a channel to a guest agent")
    .option("--ssh <user>", "how it is entered where no guest agent answers: as this user by ssh")
    .option("--key <file>", "private key for --ssh")
    .option("-n, --network <nic>", "attach a nic: NETWORK[,FIELD=VALUE]… (may be repeated)", repeated, [])
    .option("--nic <nic>", NIC_HELP, repeated, [])
    .option("-p, --publish <ports>", "published port, HOST:NODE[/udp] (may be repeated)", repeated, [])
    .option("--json", JSON_HELP)
    .action(async (name: string, options: Options) => add(name, options, nodeOf(options)));
  examples(
    command,
    ["yard add vm web --image debian.qcow2 -m 1G --cloud-init -n default", "from an image, with an address of a nat"],
    ["yard add vm tiny --kernel vmlinuz --initrd initrd.img -n lan01,ip=10.1.0.7/24", "from a kernel"],
  );
}

function nodeOf(options: Options): FilePart {
  const { image, format, persistent, kernel, initrd, append, cpus, memory, userData, guestAgent } = options;
  const { network, nic, publish, disk, iso, cloudInit } = options;
  const seed = userData === undefined ? (cloudInit === true ? true : undefined) : { user_data_file: userData };
  const values = { image, format, persistent, kernel, initrd, append, cpus, memory, cloud_init: seed };
  const lists = { nics: [...network, ...nic].map(parseNicWord), ports: publish, disks: disk.map(parseDisk), iso };
  return Object.fromEntries([
    ["kind", "vm"],
    ...(guestAgent ? [] : [["guest_agent", false]]),
    ...(options.ssh === undefined ? [] : [["ssh", sshPart(options.ssh, options.key)]]),
    ...Object.entries(values).filter(([, value]) => value !== undefined),
    ...Object.entries(lists).filter(([, list]) => list.length > 0),
  ]);
}

function sshPart(user: string, key: string | undefined): FilePart {
  return { user, ...(key === undefined ? {} : { key }) };
}

/** `data.qcow2,persistent` */
function parseDisk(word: string): FilePart {
  const [file, ...fields] = word.split(",");
  return Object.fromEntries([
    ["file", file],
    ...fields.map((field) => {
      const [name = "", value] = field.split("=");
      return [name, value === undefined || value === "true" ? true : value];
    }),
  ]);
}

/** The keys of a lab file that only virtual machines have. */
import { MOST_CPUS, MOST_DISKS, MOST_NICS } from "@switchyard/runtime/vm-limits";
import { z } from "zod";
import { field, oneOrMore, settings, text } from "./fields.ts";

const format = field(
  z.enum(["qcow2", "raw"]),
  "Its format. A raw image must say so: what a guest wrote could else be taken for another one.",
  {
    default: "qcow2",
  },
);
const persistent = field(
  z.boolean(),
  "Whether the machine writes into the image itself. Without it what it writes goes to an overlay, which is thrown away with the node.",
  { default: false },
);

export const diskSchema = z
  .strictObject({
    file: field(text, "The image, as `image`.", { examples: ["./data.qcow2"] }),
    format: format.optional(),
    persistent: persistent.optional(),
  })
  .meta({ id: "disk" });

const sshSchema = z
  .strictObject({
    user: field(text, "As whom.", { examples: ["admin"] }),
    key: field(text, "The private key, relative to the lab file.", { otherwise: "one that ssh finds" }).optional(),
    port: field(z.number().int().min(1).max(65535), "TCP.", { default: 22 }).optional(),
  })
  .meta({ id: "ssh" });

export const cloudInitSchema = z
  .strictObject({
    user_data: field(
      z.union([z.string(), z.record(z.string(), z.unknown())]),
      "User data: a text (`#cloud-config …`, or a script that begins with `#!`), or a mapping, which is given as `#cloud-config`.",
      { otherwise: "none", examples: [{ password: "lab", chpasswd: { expire: false } }] },
    ).optional(),
    user_data_file: field(text, "File with the user data, relative to the lab file.", {
      examples: ["./user-data.yaml"],
    }).optional(),
    meta_data: field(
      z.record(text, settings),
      "Keys of the meta-data beside, or in place of, `instance-id` and `local-hostname`.",
      {
        default: {},
      },
    ).optional(),
    network: field(
      text,
      "`nics`: made of the node's nics, those on a `nat` by DHCP, the others with their addresses, routes, name servers and names. `none`: nothing is said. Any other text is given as it is.",
      { default: "nics" },
    ).optional(),
  })
  .meta({ id: "cloud-init" });

export const machine = {
  image: field(text, "Image of the first disk, looked for beside the lab file, then among the images of this host.", {
    examples: ["debian.qcow2", "./images/router.qcow2"],
  }).optional(),
  format: format.optional(),
  persistent: persistent.optional(),
  disks: field(
    z.array(z.union([field(text, "Short for `{ file: <text> }`."), diskSchema])).max(MOST_DISKS),
    "Further disks, at most 8 with that of `image`; an entry that is only a text names the image.",
    { default: [], examples: [["./data.qcow2", { file: "./scratch.img", format: "raw", persistent: true }]] },
  ).optional(),
  iso: field(oneOrMore, "ISO image or images in its optical drives, at most 3 with the volume for cloud-init.", {
    otherwise: "none",
    examples: ["./install.iso"],
  }).optional(),
  kernel: field(text, "Kernel to boot directly, without boot loader.", { examples: ["./vmlinuz"] }).optional(),
  initrd: field(text, "Initial RAM disk of `kernel`.", { examples: ["./initrd.img"] }).optional(),
  append: field(text, "Command line of `kernel`.", { examples: ["console=ttyS0 root=/dev/vda1"] }).optional(),
  cpus: field(z.number().int().min(1).max(MOST_CPUS), "Processors.", { default: 1 }).optional(),
  memory: field(
    z.union([z.string(), z.number().int()]),
    "Memory in bytes, or with a unit of 1024: `512M`, `1.5G`. At least 6M, in whole MiB.",
    { default: "512M", examples: ["1G"] },
  ).optional(),
  cloud_init: field(
    z.union([z.boolean(), cloudInitSchema]),
    "A volume that cloud-init reads (NoCloud). `true`: with the host name and the nics alone.",
    { default: false },
  ).optional(),
  guest_agent: field(
    z.boolean(),
    "Whether it has a channel to QEMU's guest agent, by which `yard exec` and `yard cp` work.",
    {
      default: true,
    },
  ).optional(),
  ssh: field(
    z.union([field(text, "Short for `{ user: <text> }`."), sshSchema]),
    "How its ssh server lets one in: so go `yard exec`, `shell` and `cp` where no guest agent answers.",
    { otherwise: "not known", examples: ["root", { user: "admin", key: "./id_ed25519" }] },
  ).optional(),
  reboot: field(z.enum(["restart", "end"]), "What a reboot by the guest does; `end` leaves it as exited.", {
    default: "restart",
  }).optional(),
  max_nics: field(
    z.number().int().min(1).max(MOST_NICS),
    "How many nics it can come to have while it runs; more than 21 need PCI bridges in it.",
    { otherwise: "21, or as many as it has" },
  ).optional(),
};

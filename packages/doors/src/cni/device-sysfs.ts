/** Virtual functions of a network card as sysfs tells of them (sysfs-bus-pci and sysfs-class-net of Linux' ABI documents). */
import { existsSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { basename, join } from "node:path";
import { YardError } from "@switchyard/base";

export interface VirtualFunction {
  /** Its number among those of its card. */
  readonly index: number;
  /** Its own link; undefined where a driver for user space has it. */
  readonly link: string | undefined;
  /** The link of the card. */
  readonly uplink: string;
  /** The link by which a switch has it. */
  readonly representor: string;
  /** Links that a switch may have in place of the card's: its bond, and that one's members. */
  readonly uplinks: readonly string[];
}

/** @param sysfs `/sys`. @throws YardError `cni.no-device` */
export function readFunction(sysfs: string, id: string): VirtualFunction {
  const missing = (what: string) =>
    new YardError("cni.no-device", `the device ${id} ${what}`, { where: join(sysfs, "bus/pci/devices", id) });
  const device = join(sysfs, "bus/pci/devices", id);
  if (!existsSync(device)) throw missing("is not on this host");
  const card = join(device, "physfn");
  if (!existsSync(card)) throw missing("is no virtual function of a card");
  const [uplink] = entries(join(card, "net"));
  if (uplink === undefined) throw missing("has a card without a link");
  const found = entries(card).find(
    (name) => /^virtfn\d+$/.test(name) && basename(readlinkSync(join(card, name))) === id,
  );
  if (found === undefined) throw missing("is not among the functions of its card");
  const index = Number(found.slice("virtfn".length));
  const links = join(sysfs, "class/net");
  const switchId = text(join(links, uplink, "phys_switch_id"));
  const representor = entries(links).find(
    (name) =>
      name !== uplink &&
      switchId !== "" &&
      text(join(links, name, "phys_switch_id")) === switchId &&
      // c<controller>pf<n>vf<n>; older drivers have the number alone.
      new RegExp(`^(?:(?:c\\d+)?pf\\d+vf)?${index}$`).test(text(join(links, name, "phys_port_name"))),
  );
  if (representor === undefined) throw missing("has no representor: the card is not in the mode switchdev");
  const master = join(links, uplink, "master");
  const bond = existsSync(master) ? basename(readlinkSync(master)) : undefined;
  const members = bond === undefined ? [] : entries(join(links, bond)).filter((name) => name.startsWith("lower_"));
  return {
    index,
    link: entries(join(device, "net"))[0],
    uplink,
    representor,
    uplinks: [...(bond === undefined ? [] : [bond]), uplink, ...members.map((name) => name.slice("lower_".length))],
  };
}

function entries(folder: string): string[] {
  try {
    return readdirSync(folder).sort();
  } catch {
    return [];
  }
}

function text(file: string): string {
  try {
    return readFileSync(file, "utf8").trim();
  } catch {
    return "";
  }
}

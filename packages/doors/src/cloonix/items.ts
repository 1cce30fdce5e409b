/** Items as the commands that make them: what `lst` prints. */
import { dirname } from "node:path";
import type { Impairment, NodeKind } from "@switchyard/yard/model";
import { derivedMacs, type NodeEntry } from "@switchyard/yard/store";
import { IDLE, LAUNCH } from "./add.ts";
import type { Item } from "./command.ts";
import { netOf } from "./nets.ts";
import { A2B_SETTINGS } from "./settings.ts";

type Spec = NodeEntry["spec"];

/** What makes words of items. */
export interface Wording {
  readonly yard: string;
  /** Of images that need no path. */
  readonly images: string;
}

/** What an item is called; undefined for nodes that cloonix knows no name for. */
export function itemOf(spec: Spec): Item | undefined {
  switch (spec.kind) {
    case "vm":
      return "kvm";
    case "container":
      return spec.runtime === "oci" ? "cru" : spec.runtime === "docker" ? "doc" : "pod";
    case "tap":
    case "a2b":
    case "nat":
    case "c2c":
    case "phy":
      return spec.kind;
    case "netns":
    case "guest":
      return undefined;
  }
}

/** Kinds whose interfaces are told of by `eth=`. */
export function hasEths(kind: NodeKind | "guest"): boolean {
  return kind === "vm" || kind === "container";
}

/** The words after `add` that make a node, as near as they come; undefined where there are none. */
export function additionWords(node: NodeEntry, wording: Wording): readonly string[] | undefined {
  const { spec, name } = node;
  const item = itemOf(spec);
  if (item === undefined) return undefined;
  const eth = node.nics.length === 0 ? [] : [`eth=${node.nics.map(({ spy }) => (spy ? "s" : "v")).join("")}`];
  switch (spec.kind) {
    case "vm": {
      const [first, ...disks] = spec.disks;
      const image = first === undefined ? "" : imageName(first.file, wording);
      return [
        ...[item, name, `ram=${spec.memory / (1024 * 1024)}`, `cpu=${spec.cpus}`, ...eth, image],
        ...(first?.persistent ? ["--persistent"] : []),
        ...(spec.guestAgent ? [] : ["--no_qemu_ga"]),
        ...(spec.ssh === undefined ? [] : [`--ssh=${[spec.ssh.user, spec.ssh.key ?? []].flat().join(",")}`]),
        ...(spec.rebootEnds ? ["--no_reboot"] : []),
        ...disks.map(({ file }) => `--added_disk=${imageName(file, wording)}`),
        ...spec.isos.map((file) => `--added_cdrom=${imageName(file, wording)}`),
        ...macWords(node, wording),
      ];
    }
    case "container": {
      const [shell, option, launch] = spec.command;
      const launched = shell === LAUNCH[0] && option === LAUNCH[1] && spec.command.length === 3;
      const idle = spec.rootfs !== undefined && spec.command.join(" ") === IDLE.join(" ");
      const env = Object.entries(spec.env).map(([key, value]) => `${key}=${value}`);
      return [
        ...[item, name, ...eth, spec.rootfs ?? spec.image ?? ""],
        ...(launched && !idle ? [`--customer_launch=${launch}`] : []),
        ...(env.length === 0 ? [] : [`--startup_env=${env.join(" ")}`]),
        ...(spec.binds.length === 0 ? [] : [`--vmount=${spec.binds.join(" ")}`]),
        ...(spec.privileged ? ["--privileged"] : []),
        ...macWords(node, wording),
      ];
    }
    case "tap":
    case "a2b":
      return [item, name];
    case "nat":
      return [item, name, `cidr=${spec.cidr.join(",")}`];
    case "phy":
      return [item, spec.parent, spec.mode, ...(name === spec.parent ? [] : [name])];
    case "c2c":
      return spec.to.type === "yard" ? [item, name, netOf(spec.to.yard) ?? spec.to.yard] : [item, name, "elsewhere"];
    case "netns":
    case "guest":
      return undefined;
  }
}

/** The words after `cnf a2b` that set one way. */
export function settingWords(name: string, dir: 0 | 1, impairment: Impairment): readonly (readonly string[])[] {
  return A2B_SETTINGS.flatMap(({ cmd, val }) => {
    const value = val(impairment);
    return value === 0 ? [] : [[name, `dir=${dir} cmd=${cmd} val=${value}`]];
  });
}

/** Those that are not derived. */
function macWords({ objId, nics }: NodeEntry, { yard }: Wording): readonly string[] {
  const derived = derivedMacs(yard);
  return nics.flatMap(({ index, mac }) => (mac === derived(objId, index) ? [] : [`--mac_addr=eth${index}:${mac}`]));
}

function imageName(file: string, { images }: Wording): string {
  return dirname(file) === images ? file.slice(images.length + 1) : file;
}

import type { Path, Places } from "./places.ts";
import { checkSchema, defaultsSchema, labSchema, linkSchema, networkMappingSchema } from "./schema.ts";
import { linkImpairSchema, nicImpairSchema, nicMappingSchema, routeSchema } from "./schema-nics.ts";
import {
  a2bSchema,
  c2cSchema,
  containerSchema,
  KINDS,
  natSchema,
  netnsSchema,
  phySchema,
  tapSchema,
  vmSchema,
} from "./schema-nodes.ts";
import { cloudInitSchema, diskSchema } from "./schema-vm.ts";

/** The keys of each kind of node. */
const KEYS: Readonly<Record<(typeof KINDS)[number], Readonly<Record<string, unknown>>>> = {
  netns: netnsSchema.shape,
  container: containerSchema.shape,
  vm: vmSchema.shape,
  a2b: a2bSchema.shape,
  tap: tapSchema.shape,
  nat: natSchema.shape,
  c2c: c2cSchema.shape,
  phy: phySchema.shape,
};

/** The keys that the mapping at a path may have. */
export function keysAt(path: Path, places: Places): string[] {
  const [section, entry, key] = path;
  if (section === undefined) return Object.keys(labSchema.shape);
  if (path.at(-2) === "routes") return Object.keys(routeSchema.shape);
  if (path.includes("impair"))
    return Object.keys((section === "links" || path.length === 3 ? linkImpairSchema : nicImpairSchema).shape);
  switch (section) {
    case "networks":
      return Object.keys(networkMappingSchema.shape);
    case "links":
      return Object.keys(linkSchema.shape);
    case "defaults":
      if (entry === undefined) return Object.keys(defaultsSchema.shape);
      if (entry === "nic") return ["mtu", "dns", "spy"];
      if (key === "cloud_init") return Object.keys(cloudInitSchema.shape);
      if (key === "disks") return Object.keys(diskSchema.shape);
      return keysOfKind(entry).filter((word) => !["kind", "count", "ports"].includes(word));
    case "nodes":
      if (key === "nics")
        return Object.keys(
          (path.at(-1) === "config" ? nicMappingSchema.shape.config.unwrap() : nicMappingSchema).shape,
        );
      if (key === "cloud_init") return Object.keys(cloudInitSchema.shape);
      if (key === "disks") return Object.keys(diskSchema.shape);
      return keysOfKind(places.node([section, entry ?? "", "kind"])?.value);
    case "checks":
      if (key === "ping" || key === "tcp" || key === "exec") return Object.keys(checkSchema.shape[key].unwrap().shape);
      return Object.keys(checkSchema.shape);
    default:
      return [];
  }
}

function keysOfKind(kind: unknown): string[] {
  return Object.keys(KEYS[KINDS.find((one) => one === kind) ?? "container"]);
}

/** Of which other kinds of node a key is. */
export function elsewhere(key: string, path: Path, places: Places): string | undefined {
  if (path[0] !== "nodes" || path.length !== 2) return undefined;
  const kind = places.node([...path, "kind"])?.value;
  const others = KINDS.filter((one) => one !== kind && Object.hasOwn(KEYS[one], key));
  if (others.length === 0 || !KINDS.some((one) => one === kind)) return undefined;
  const inside = kind === "vm" ? "; what runs in a vm is told by `cloud_init`" : "";
  return `"${key}" is for nodes of kind ${others.join(" and ")}; this one is of kind ${kind}${inside}`;
}

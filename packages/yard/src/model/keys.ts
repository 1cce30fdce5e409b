import type { Path, Places } from "./places.ts";
import {
  checkSchema,
  containerSchema,
  defaultsSchema,
  labSchema,
  linkSchema,
  netnsSchema,
  networkMappingSchema,
  nicMappingSchema,
  routeSchema,
} from "./schema.ts";

/** The keys that the mapping at a path may have. */
export function keysAt(path: Path, places: Places): string[] {
  const [section, entry, key] = path;
  if (section === undefined) return Object.keys(labSchema.shape);
  if (path.at(-2) === "routes") return Object.keys(routeSchema.shape);
  switch (section) {
    case "networks":
      return Object.keys(networkMappingSchema.shape);
    case "links":
      return Object.keys(linkSchema.shape);
    case "defaults":
      if (entry === undefined) return Object.keys(defaultsSchema.shape);
      if (entry === "nic") return ["mtu", "dns", "spy"];
      return keysOfKind(entry).filter((word) => !["kind", "count", "ports"].includes(word));
    case "nodes":
      if (key === "nics")
        return Object.keys(
          (path.at(-1) === "config" ? nicMappingSchema.shape.config.unwrap() : nicMappingSchema).shape,
        );
      return keysOfKind(places.node([section, entry ?? "", "kind"])?.value);
    case "checks":
      if (key === "ping" || key === "tcp" || key === "exec") return Object.keys(checkSchema.shape[key].unwrap().shape);
      return Object.keys(checkSchema.shape);
    default:
      return [];
  }
}

function keysOfKind(kind: unknown): string[] {
  return Object.keys(kind === "netns" ? netnsSchema.shape : containerSchema.shape);
}

/** A key of the other kind of node. */
export function elsewhere(key: string, path: Path, places: Places): string | undefined {
  if (path[0] !== "nodes" || path.length !== 2) return undefined;
  const kind = places.node([...path, "kind"])?.value;
  return kind === "netns" && key in containerSchema.shape
    ? `"${key}" is for nodes of kind container; this one is of kind netns`
    : undefined;
}

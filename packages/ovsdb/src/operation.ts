import type { Json, JsonObject } from "./json.ts";

/** An operation of RFC 7047 section 5.2, in wire form. */
export type Operation = JsonObject & { readonly op: string };

/** The condition that picks one row. */
export function whereUuid(uuid: Json): readonly Json[] {
  return [["_uuid", "==", uuid]];
}

/** Devices that swallow what is sent to them, so that it can be looked at. */
import { spawnSync } from "node:child_process";
import { childEnvironment, YardError } from "@switchyard/base";
import { knowsLinkKind } from "./kernel.ts";

/**
 * Kinds of links that drop all that is sent to them, after packet(7) sockets have seen it, and bring nothing in. `ifb`
 * does so with what is not redirected to it (ifb_xmit in drivers/net/ifb.c). Loaded without the parameter, their
 * modules leave links of their own on the host.
 */
const KINDS = [
  { kind: "dummy", parameter: "numdummies=0" },
  { kind: "ifb", parameter: "numifbs=0" },
] as const;

/** The MTU of a sink: every frame fits in, a bundle of TCP segments too. */
export const SINK_MTU = 65_535;

/** The kind of link that this kernel has for a sink, found out by trying. @throws YardError `link.no-sink` */
export function sinkKind(): string {
  found ??= KINDS.find(isKnown)?.kind;
  if (found === undefined)
    throw new YardError("link.no-sink", "the kernel has neither dummy links nor ifb, one of which a spy is made of");
  return found;
}

let found: string | undefined;

function isKnown({ kind, parameter }: (typeof KINDS)[number]): boolean {
  // Where it is loaded or built in, or there is nothing to load, this does nothing.
  spawnSync("modprobe", ["-q", kind, parameter], { stdio: "ignore", env: childEnvironment() });
  return knowsLinkKind(kind);
}

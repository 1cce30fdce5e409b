import { openSync } from "node:fs";
import { errnoOf, YardError } from "@switchyard/base";
import { checkLinkName } from "./names.ts";
import { viewNamespace } from "./network.ts";

/**
 * Opens a macvtap of the caller's own namespace, for a program that shall exchange packets with it, as `openTap` opens
 * a tap device. They come by a character device that is called after the link's number (drivers/net/macvtap.c).
 *
 * @returns the descriptor, the caller's to close
 * @throws YardError `link.bad-name`, `link.tap-absent`, `link.tap-busy`
 */
export function openMacvtap(name: string): number {
  checkLinkName(name);
  const link = viewNamespace("self").links.get(name);
  if (link?.kind !== "macvtap") throw new YardError("link.tap-absent", `there is no macvtap ${name}`);
  try {
    return openSync(`/dev/tap${link.index}`, "r+");
  } catch (cause) {
    const code = errnoOf(cause);
    if (code === "EBUSY")
      throw new YardError("link.tap-busy", `the macvtap ${name} is in use`, {
        cause,
        hint: "end the program, such as a virtual machine, that has it",
      });
    throw new YardError("link.tap-absent", `the macvtap ${name} cannot be opened: ${code}`, {
      cause,
      hint: `/dev/tap${link.index} is there where /dev is a devtmpfs`,
    });
  }
}

import { runTunnel, tunnelSchema } from "@switchyard/yard/agent";
import type { Command } from "commander";
import type { Session } from "../session.ts";

/** `yard tunnel CONFIG`: the process of a yard that keeps a WireGuard device; the agent starts it. */
export function define(command: Command, session: Session): void {
  command
    .argument("<config>")
    .action((config: string) => runTunnel(tunnelSchema.parse(JSON.parse(config)), session.signal));
}

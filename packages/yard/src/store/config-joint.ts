/** What of a node that nothing runs in stands in its `config` column beside what all nodes have. */
import { parseCidr, parseIp } from "@switchyard/base";
import { z } from "zod";

/** The subnet of a nat. */
export const natSchema = { cidr: z.string().transform((text) => parseCidr(text)) };

/** Where a c2c leads to. */
export const c2cSchema = {
  to: z.discriminatedUnion("type", [
    z.object({ type: z.literal("yard"), yard: z.string(), node: z.string() }),
    z.object({
      type: z.literal("vxlan"),
      peer: z.string().transform((text) => parseIp(text)),
      id: z.number(),
      port: z.number(),
    }),
  ]),
};

/** Which NIC of the host's a phy is. */
export const phySchema = { parent: z.string(), mode: z.enum(["absorb", "macvlan"]) };

/** What of a node that nothing runs in stands in its `config` column beside what all nodes have. */
import { parseCidr, parseIp } from "@switchyard/base";
import { z } from "zod";

/** The subnets of a nat; one alone may stand for itself. */
export const natSchema = {
  cidr: z.union([z.string(), z.array(z.string())]).transform((texts) => [texts].flat().map(parseCidr)),
};

/** Where a c2c leads to. */
export const c2cSchema = {
  to: z.discriminatedUnion("type", [
    z.object({ type: z.literal("yard"), yard: z.string(), node: z.string() }),
    z
      .object({
        type: z.literal("vxlan"),
        peer: z.string().transform((text) => parseIp(text)),
        id: z.number(),
        port: z.number(),
        encrypt: z.object({ key: z.string(), port: z.number() }).optional(),
      })
      // Members of the model's types are always there.
      .transform(({ encrypt, ...to }) => ({ ...to, encrypt })),
  ]),
};

/** Which NIC of the host's a phy is. */
export const phySchema = { parent: z.string(), mode: z.enum(["absorb", "macvlan"]) };

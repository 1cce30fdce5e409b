/**
 * What the engine asks: libnetwork's remote driver protocol (docs/remote.md and drivers/remote/api in
 * github.com/moby/libnetwork) and its IPAM protocol (docs/ipam.md). Parsed here once.
 */
import { type Cidr, type Ip, type Mac, parseCidr, parseIp, parseMac, YardError } from "@switchyard/base";
import { z } from "zod";

/** Text of that kind; the empty one, as Go writes what is not given, is undefined. */
function optionalText<T>(parse: (text: string) => T) {
  return z
    .string()
    .nullish()
    .transform((text, context): T | undefined => {
      if (text === undefined || text === null || text === "") return undefined;
      try {
        return parse(text);
      } catch (error) {
        context.addIssue({ code: "custom", message: error instanceof Error ? error.message : text });
        return z.NEVER;
      }
    });
}

const id = z.string().regex(/^[0-9a-f]{12,64}$/, "an id of the engine's is expected");
const options = z
  .record(z.string(), z.unknown())
  .nullish()
  .transform((given) => given ?? {});
const cidr = optionalText(parseCidr);
const ipamData = z.object({ Pool: cidr, Gateway: cidr });
const ipam = z
  .array(ipamData)
  .nullish()
  .transform((list) => list ?? []);

export const createNetwork = z.object({ NetworkID: id, Options: options, IPv4Data: ipam, IPv6Data: ipam });
export const network = z.object({ NetworkID: id });
export const createEndpoint = z.object({
  NetworkID: id,
  EndpointID: id,
  Options: options,
  Interface: z
    .object({ Address: cidr, AddressIPv6: cidr, MacAddress: optionalText(parseMac) })
    .nullish()
    .transform((given) => given ?? undefined),
});
export const endpoint = z.object({ NetworkID: id, EndpointID: id });
export const connectivity = z.object({ NetworkID: id, EndpointID: id, Options: options });

export const requestPool = z.object({
  AddressSpace: z.string().default(""),
  Pool: cidr,
  SubPool: cidr,
  V6: z.boolean().default(false),
});
export const pool = z.object({ PoolID: z.string() });
export const requestAddress = z.object({ PoolID: z.string(), Address: optionalText(parseIp), Options: options });
export const releaseAddress = z.object({ PoolID: z.string(), Address: optionalText(parseIp) });

/** One published port, as the engine's `com.docker.network.portmap` has them. */
export const portMap = z
  .array(
    z.object({
      /** 6 TCP, 17 UDP (RFC 5237's registry). */
      Proto: z.number(),
      Port: z.number(),
      HostIP: optionalText(parseIp),
      /** 0: any that is free. */
      HostPort: z.number().default(0),
    }),
  )
  .nullish()
  .transform((list) => list ?? []);
export type PortMap = z.output<typeof portMap>;

export type CreateNetwork = z.output<typeof createNetwork>;
export type CreateEndpoint = z.output<typeof createEndpoint>;
export type Endpoint = z.output<typeof endpoint>;
export type { Cidr, Ip, Mac };

/** @throws YardError `dockernet.bad-request` */
export function read<T>(schema: z.ZodType<T>, value: unknown, what: string): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const lines = parsed.error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`);
  throw new YardError("dockernet.bad-request", `${what}: ${lines.join("; ")}`);
}

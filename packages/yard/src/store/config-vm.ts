/** What of a virtual machine is in its row's `config`. */
import { z } from "zod";
import type { VmSpec } from "../model/types.ts";
import type { Plain } from "./canonical.ts";

/** What a machine has beside what all nodes have. */
type Machine = Pick<
  VmSpec,
  "disks" | "isos" | "kernel" | "memory" | "cpus" | "cloudInit" | "guestAgent" | "ssh" | "rebootEnds" | "maxNics"
>;

export function machineConfig(spec: Machine): { readonly [key: string]: Plain | undefined } {
  const { disks, isos, kernel, memory, cpus, cloudInit, guestAgent, ssh, rebootEnds, maxNics } = spec;
  return {
    disks: disks.length === 0 ? undefined : disks.map((disk) => ({ ...disk })),
    isos: isos.length === 0 ? undefined : isos,
    kernel: kernel && { ...kernel },
    memory,
    cpus,
    cloudInit: cloudInit && { ...cloudInit },
    guestAgent,
    ssh: ssh && { ...ssh },
    rebootEnds: rebootEnds || undefined,
    maxNics,
  };
}

export const machineSchema = {
  disks: z.array(z.object({ file: z.string(), format: z.enum(["qcow2", "raw"]), persistent: z.boolean() })).default([]),
  isos: z.array(z.string()).default([]),
  kernel: z.object({ image: z.string(), initrd: z.string().optional(), append: z.string().optional() }).optional(),
  memory: z.number(),
  cpus: z.number(),
  cloudInit: z
    .object({
      userData: z.string(),
      metaData: z.record(z.string(), z.string()),
      network: z.union([z.enum(["nics", "none"]), z.object({ text: z.string() })]),
    })
    .optional(),
  guestAgent: z.boolean(),
  ssh: z.object({ user: z.string(), key: z.string().optional(), port: z.number() }).optional(),
  rebootEnds: z.boolean().default(false),
  maxNics: z.number(),
};

/** Absent members as `undefined` ones: the model's types always have the member. */
export function wholeMachine<T extends z.infer<z.ZodObject<typeof machineSchema>>>(parsed: T) {
  const { kernel, cloudInit, ssh } = parsed;
  return {
    ...parsed,
    cloudInit,
    ssh: ssh && { user: ssh.user, key: ssh.key, port: ssh.port },
    kernel: kernel && { image: kernel.image, initrd: kernel.initrd, append: kernel.append },
  };
}

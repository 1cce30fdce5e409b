/** What a vDPA device is told, and tells: by the command of iproute2 that is made for it (vdpa-dev(8)). */
import { existsSync, readdirSync } from "node:fs";
import { basename, join } from "node:path";
import { childEnvironment, type Mac, tryRun, YardError } from "@switchyard/base";
import { isRecord } from "./fields.ts";

export interface VdpaSeen {
  readonly mac?: string;
  readonly mtu?: number;
}

/** The device that the bus calls so: it has that character device. @throws YardError `cni.no-device` */
export function vdpaName(sysfs: string, path: string): string {
  const bus = join(sysfs, "bus/vdpa/devices");
  const found = existsSync(bus) && readdirSync(bus).find((name) => existsSync(join(bus, name, basename(path))));
  if (found) return found;
  throw new YardError("cni.no-device", `there is no vDPA device with ${path}`, { where: bus });
}

/** It can be told its MAC as long as nobody has it open, since Linux 6.13. @throws YardError `cni.link-failed` */
export async function setVdpaMac(name: string, mac: Mac, env: NodeJS.ProcessEnv): Promise<void> {
  const { code, stderr } = await vdpa(["dev", "set", "name", name, "mac", mac], env);
  if (code === 0) return;
  throw new YardError("cni.link-failed", `the MAC of the vDPA device ${name} cannot be set: ${stderr.trim()}`, {
    hint: "a kernel and an iproute2 of 6.13 or later can; else leave the MAC to the card",
  });
}

/** Nothing where it does not tell. */
export async function readVdpa(name: string, env: NodeJS.ProcessEnv): Promise<VdpaSeen> {
  const { stdout } = await vdpa(["-j", "dev", "config", "show", name], env);
  try {
    const value: unknown = JSON.parse(stdout);
    const config = isRecord(value) && isRecord(value.config) ? value.config[name] : undefined;
    if (!isRecord(config)) return {};
    return {
      ...(typeof config.mac === "string" ? { mac: config.mac } : {}),
      ...(typeof config.mtu === "number" ? { mtu: config.mtu } : {}),
    };
  } catch {
    return {};
  }
}

async function vdpa(argv: readonly string[], { PATH }: NodeJS.ProcessEnv) {
  const env = { ...childEnvironment(), ...(PATH === undefined ? {} : { PATH }) };
  try {
    return await tryRun(["vdpa", ...argv], { env, timeout: 5_000 });
  } catch (cause) {
    throw new YardError("cni.link-failed", "the command vdpa cannot be run", { cause, hint: "install iproute2" });
  }
}

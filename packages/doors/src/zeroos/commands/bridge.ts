/** Bridges of the kernel's own: `bridge.*`. */
import { parseIp, parseMac, YardError } from "@switchyard/base";
import { readBridge } from "@switchyard/yard/model";
import {
  addBridgeHost,
  addBridgeNic,
  createBridge,
  deleteBridge,
  removeBridgeNic,
  rowsOf,
} from "@switchyard/yard/store";
import { z } from "zod";
import { change, type Ground } from "../ground.ts";
import { command, type Handler } from "../job.ts";

const text = z
  .string()
  .nullish()
  .transform((it) => it || undefined);

const createSchema = z.object({
  name: z.string(),
  hwaddr: text,
  network: z
    .object({
      mode: text,
      nat: z.boolean().nullish(),
      settings: z.record(z.string(), z.string()).nullish(),
    })
    .nullish(),
});
const named = z.object({ name: z.string() });
const nicSchema = z.object({ name: z.string(), nic: z.string() });
const nicRemoveSchema = z.object({ nic: z.string() });
const hostSchema = z.object({ bridge: z.string(), ip: z.string(), mac: z.string() });

export function bridgeCommands(ground: Ground): Readonly<Record<string, Handler>> {
  const { store } = ground;
  const bridges = () => rowsOf(store.db).bridges;
  const addHost = command(hostSchema, async ({ bridge, ip, mac }) => {
    await change(ground, { bridges: [bridge] }, () => addBridgeHost(store, bridge, parseIp(ip), parseMac(mac)));
  });
  return {
    "bridge.create": command(createSchema, async ({ name, hwaddr, network }) => {
      const mode = network?.mode ?? "none";
      // What a mode has no use for, and NAT where the host has no address, is ignored as the original does.
      const { cidr, start, end } = network?.settings ?? {};
      const settings = mode === "none" ? {} : mode === "static" ? { cidr } : { cidr, start, end };
      const nat = mode !== "none" && network?.nat === true;
      const spec = readBridge({ name, hwaddr, mode, nat, ...settings });
      const place = { yard: ground.yard, host: ground.host };
      await change(ground, { bridges: [name] }, () => createBridge(store, spec, place));
    }),
    "bridge.delete": command(named, async ({ name }) => {
      await change(ground, { bridges: [name] }, () => deleteBridge(store, name));
    }),
    "bridge.list": command(z.unknown(), async () => bridges().map(({ name }) => name)),
    "bridge.nic-add": command(nicSchema, async ({ name, nic }) => {
      await change(ground, { bridges: [name] }, () => addBridgeNic(store, name, nic));
    }),
    "bridge.nic-remove": command(nicRemoveSchema, async ({ nic }) => {
      const bridge = bridges().find(({ members }) => members.includes(nic));
      if (bridge === undefined) throw new YardError("zeroos.no-link", `${nic} is on no bridge`);
      await change(ground, { bridges: [bridge.name] }, () => removeBridgeNic(store, bridge.name, nic));
    }),
    "bridge.nic-list": command(named, async ({ name }) => {
      const bridge = bridges().find((one) => one.name === name);
      if (bridge === undefined) throw new YardError("zeroos.no-link", `there is no bridge ${name}`);
      return bridge.members;
    }),
    "bridge.host-add": addHost,
    "bridge.add_host": addHost,
  };
}

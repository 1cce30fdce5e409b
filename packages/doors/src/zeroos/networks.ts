/** The networks that nics of containers and machines are on. */
import { YardError } from "@switchyard/base";
import { viewNamespace } from "@switchyard/linux";
import { impliedByName, networkSpec } from "@switchyard/yard/model";
import { addNetwork, type NetworkEntry, removeNetwork } from "@switchyard/yard/store";
import { z } from "zod";
import { change, type Ground, NOTE, networksOf, note } from "./ground.ts";
import { segmentId, type ZeroosNic } from "./nics.ts";
import { Turns } from "./turns.ts";

/** The bridges that VLANs and VXLANs come from. */
const BACKPLANE = "backplane";
const VXBACKEND = "vxbackend";

/** What is kept of a network that was made for a nic: whether its bridge was made for it too, and goes with it. */
const noteSchema = z.object({ made: z.boolean() });

type Segment = "vlan" | "vxlan";

/** Makes networks for nics, and takes them away when the last has gone. */
export class Networks {
  readonly #ground: Ground;
  readonly #turns = new Turns();
  readonly #kept = new Map<string, number>();

  constructor(ground: Ground) {
    this.#ground = ground;
  }

  /**
   * Has the networks that nics ask for, made where they are not there, and kept while `work` makes the nics.
   *
   * @param hasOvs whether a container tagged `ovs` runs, which VLANs and VXLANs need
   * @param work is told the network of each nic
   * @throws YardError `zeroos.no-ovs`, `zeroos.bad-nic`, `zeroos.not-offered`, `nic.bad-id`, those of `vlan-ensure`
   * and `vxlan-ensure`, and what `work` throws: what was made is taken away again then
   */
  async with(
    nics: readonly ZeroosNic[],
    hasOvs: boolean,
    signal: AbortSignal,
    work: (names: readonly string[]) => Promise<void>,
  ): Promise<void> {
    const names: string[] = [];
    let failed = true;
    try {
      for (const nic of nics) {
        await this.#turns.take("", async () => {
          const name = await this.#ensure(nic, hasOvs, signal);
          this.#kept.set(name, (this.#kept.get(name) ?? 0) + 1);
          names.push(name);
        });
      }
      await work(names);
      failed = false;
    } finally {
      for (const name of names) this.#kept.set(name, (this.#kept.get(name) ?? 1) - 1);
      if (failed) await this.release(signal);
    }
  }

  /**
   * Takes the networks away that were made for nics of which none is left, with the bridges that were made for them.
   * What cannot be taken away stays, and is told in the log.
   */
  release(signal: AbortSignal): Promise<void> {
    return this.#turns.take("", async () => {
      const { store, log } = this.#ground;
      for (const row of store.db.table("Network")) {
        const text = row.external_ids.get(NOTE);
        if (text === undefined || (this.#kept.get(row.name) ?? 0) > 0) continue;
        if (store.db.table("Nic").filter({ network: row._uuid }).length > 0) continue;
        const { made } = noteSchema.parse(JSON.parse(text));
        const bridge = row.options.get("bridge");
        try {
          await change(this.#ground, { networks: [row.name] }, () => removeNetwork(store, row.name));
          if (made && bridge !== undefined) await this.#removeBridge(bridge, signal);
        } catch (error) {
          log.warn({ network: row.name, err: error }, "a network that is not used any more stays");
        }
      }
    });
  }

  async #ensure(nic: ZeroosNic, hasOvs: boolean, signal: AbortSignal): Promise<string> {
    switch (nic.type) {
      case "default":
        return "default";
      case "vlan":
      case "vxlan": {
        const id = segmentId(nic);
        if (hasOvs) return await this.#ensureSegment(nic.type, id, signal);
        throw new YardError("zeroos.no-ovs", `a ${nic.type} needs a container tagged ovs, and there is none`, {
          hint: "make one first: cl.container.create(…, host_network=True, tags=['ovs'])",
        });
      }
      case "bridge":
      case "macvlan":
      case "passthrough":
      case "zerotier": {
        // It is there for as long as a nic is on it.
        const name = `${nic.type}:${nic.id}`;
        impliedByName(name);
        return name;
      }
    }
  }

  async #ensureSegment(type: Segment, id: number, signal: AbortSignal): Promise<string> {
    const ground = this.#ground;
    // A lab may have it already.
    const declared = networksOf(ground).find((network) => network.type === type && network.id === id);
    if (declared !== undefined) return declared.name;
    const known = this.#links();
    const master = type === "vlan" ? BACKPLANE : VXBACKEND;
    const bridge = z.string().parse(await this.#ovs(`${type}-ensure`, { master, [type]: id }, signal));
    const present = onBridge(networksOf(ground), bridge);
    if (present !== undefined) return present.name;
    // What VXLAN puts around a packet leaves less room in it.
    const mtu = type === "vxlan" ? this.#links().get(`vtep${id}`)?.mtu : undefined;
    const network = { type: "bridge", bridge, ...(mtu === undefined ? {} : { mtu }) };
    const spec = networkSpec(`${type}-${id}`, network, ground.environment);
    const made = !known.has(bridge);
    const place = { yard: ground.yard, host: ground.host };
    const notes = [note("Network", spec.name, { made })];
    try {
      await change(ground, { networks: [spec.name] }, () => addNetwork(ground.store, spec, place, { notes }));
    } catch (error) {
      if (made) await this.#removeBridge(bridge, signal);
      throw error;
    }
    return spec.name;
  }

  async #removeBridge(bridge: string, signal: AbortSignal): Promise<void> {
    if (this.#links().has(bridge)) await this.#ovs("bridge-del", { bridge }, signal);
  }

  #ovs(command: string, input: object, signal: AbortSignal): Promise<unknown> {
    const { ovs, log } = this.#ground;
    return ovs(command, input, signal, (line) => log.info({ command }, line));
  }

  /** Bridges have devices of their names where the switch works. */
  #links() {
    return viewNamespace(this.#ground.namespace).links;
  }
}

function onBridge(networks: readonly NetworkEntry[], bridge: string): NetworkEntry | undefined {
  return networks.find((network) => network.type === "bridge" && network.bridge === bridge);
}

/** What `ec`'s commands do. */
import { hostname } from "node:os";
import { YardError } from "@switchyard/base";
import type { EcCommand, EcOptions } from "./arguments.ts";
import type { EcContainer, EcEngine } from "./containers.ts";
import { EC_OWNER, type EcPlace } from "./place.ts";
import { type Plugs, parsePlugs, plug, plugsText, removePorts, unplug } from "./plug.ts";
import { LAST_SLOT, slotOf, slotOfPort, type Vswitch } from "./slots.ts";
import { vswitchOf } from "./vswitch.ts";

export interface EcContext {
  readonly place: EcPlace;
  readonly engine: EcEngine;
  readonly options: EcOptions;
  readonly info: (line: string) => void;
  /** Starts what gives containers that are restarted their nics back, unless it runs. */
  readonly keep: () => void;
}

/** Milliseconds that other commands on the same switch may take. */
const TURN = 120_000;

/** One command at a time: two would choose the same slot, and see each other's halves. */
export async function inTurn<R>({ db }: EcPlace, body: () => Promise<R>): Promise<R> {
  await using turn = db.lock("switchyard_ec");
  await turn.acquired({ timeout: TURN });
  return await body();
}

/** `start`. @throws YardError `ec.slot-taken`, `ec.slots-exhausted`, and those of engine and switch, with nothing left */
export async function start(context: EcContext, wanted: Extract<EcCommand, { do: "start" | "restart" }>) {
  const { place, engine, options, info, keep } = context;
  await inTurn(place, async () => {
    const vswitch = vswitchOf(place, options.vswitch);
    const number = wanted.slot ?? (await freeSlot(place, engine, vswitch));
    const slot = slotOf(vswitch, number);
    const plugs: Plugs = {
      slot: number,
      internal: options.internal,
      dualNic: options.dualNic,
      vswitches: [[0, vswitch.name], ...options.more],
    };
    refuseTaken(place, plugs);
    const id = await engine.create({
      name: slot.port,
      hostname: `${hostname()}-${slot.port}`.slice(0, 63),
      image: wanted.image,
      parameters: wanted.parameters,
      nics: plugsText(plugs),
    });
    try {
      await plug(place, plugs, await engine.start(id));
    } catch (error) {
      await engine.remove(id);
      await unplug(place, plugs);
      throw error;
    }
    keep();
    info(
      `New container up and running in slot ${slot.port}, IP=${slot.addresses[0]} and MAC=${slot.mac} with gateway ${slot.gateway} ( dual NIC: ${options.dualNic ? 1 : ""} )`,
    );
  });
}

/** `stop`, after which nothing is left; with `--no-rm` the container is, stopped. @throws YardError `ec.slot-empty` */
export async function stop(context: EcContext, number: number): Promise<void> {
  const { place, engine, options, info } = context;
  await inTurn(place, async () => {
    const { container, name } = await containerOf(context, number);
    const left = place.db.table("Port").find({ name }) !== undefined;
    if (container === undefined && !left) throw empty(name);
    if (container !== undefined) {
      info(`Stopping container ${name}...`);
      await engine.stop(container.id);
      await unplug(place, parsePlugs(container.nics));
      if (options.noRm) return;
      info(`Removing container ${name}...`);
      await engine.remove(container.id);
    } else await removePorts(place, [name]);
  });
}

/** `restart`: another container in the place of the one in the slot, which may be empty. */
export async function restart(context: EcContext, wanted: Extract<EcCommand, { do: "start" | "restart" }>) {
  const { place, engine, info } = context;
  await inTurn(place, async () => {
    if (wanted.slot === undefined) return;
    const { container, name } = await containerOf(context, wanted.slot);
    if (container === undefined) return;
    info(`restart: Stopping running container in slot ${name}...`);
    await engine.stop(container.id);
    await unplug(place, parsePlugs(container.nics));
    await engine.remove(container.id);
  });
  await start(context, wanted);
}

/** @returns the name of the running container in a slot. @throws YardError `ec.slot-empty` */
export async function attachable(context: EcContext, number: number): Promise<string> {
  const { container, name } = await containerOf(context, number);
  if (container?.running !== true) throw empty(name);
  return name;
}

/** `cleanup`: containers of ours that have ended, and ports of slots that have no container. */
export async function cleanup({ place, engine, info }: EcContext): Promise<void> {
  await inTurn(place, async () => {
    info("Cleaning up - removing containers that have exited...");
    const containers = await engine.list();
    for (const container of containers.filter(({ running }) => !running)) {
      await unplug(place, parsePlugs(container.nics));
      await engine.remove(container.id);
      info(`Removed ${container.name}`);
    }
    const slots = new Set(
      containers.filter(({ running }) => running).map((container) => parsePlugs(container.nics).slot),
    );
    const stale = [...place.db.table("Bridge")].flatMap((bridge) =>
      [...bridge.ports].flatMap((uuid) => {
        const port = place.db.table("Port").get(uuid);
        const slot = port && slotOfPort(bridge.name, port.name.replace(/-o(\d+)$/, "-s$1"));
        const ours = port?.external_ids.get("switchyard-owner") === EC_OWNER;
        return port !== undefined && ours && slot !== undefined && !slots.has(slot) ? [port.name] : [];
      }),
    );
    if (stale.length > 0) await removePorts(place, stale);
  });
}

/** Gives every running container of ours the nics that it shall have. @returns whether there are containers at all */
export async function plugAll(place: EcPlace, engine: EcEngine, warn: (error: unknown) => void): Promise<boolean> {
  const containers = await engine.list();
  for (const { id, running, nics } of containers) {
    if (!running) continue;
    try {
      const pid = await engine.pid(id);
      if (pid !== undefined) await plug(place, parsePlugs(nics), pid);
    } catch (error) {
      warn(error);
    }
  }
  return containers.length > 0;
}

async function containerOf({ place, engine, options }: EcContext, number: number) {
  const { port: name } = slotOf(vswitchOf(place, options.vswitch), number);
  const container: EcContainer | undefined = await engine.find(name);
  return { container, name };
}

function empty(name: string): YardError {
  return new YardError("ec.slot-empty", `there is no running container ${name}`, {
    hint: "docker ps shows those that run",
  });
}

async function freeSlot({ db }: EcPlace, engine: EcEngine, vswitch: Vswitch): Promise<number> {
  const names = new Set((await engine.list()).map(({ name }) => name));
  for (let number = 1; number <= LAST_SLOT; number++) {
    try {
      const { port } = slotOf(vswitch, number);
      if (!names.has(port) && db.table("Port").find({ name: port }) === undefined) return number;
    } catch (error) {
      // The switch's own number is none; where the subnet ends, so do its slots.
      if (!(error instanceof YardError) || error.code !== "ec.bad-slot") throw error;
    }
  }
  throw new YardError("ec.slots-exhausted", `all slots of ${vswitch.name} have containers`);
}

function refuseTaken(place: EcPlace, { slot, vswitches }: Plugs): void {
  for (const [, name] of vswitches) {
    const { port } = slotOf(vswitchOf(place, name), slot);
    if (place.db.table("Port").find({ name: port }) !== undefined)
      throw new YardError("ec.slot-taken", `slot ${slot} of ${name} is taken: it has the port ${port}`, {
        hint: `free it: ec --vswitch=${name} stop ${slot}; or leave --slot= out`,
      });
  }
}

/** What `ec`'s commands do. */
import { hostname } from "node:os";
import { YardError } from "@switchyard/base";
import type { EcCommand, EcOptions } from "./arguments.ts";
import { type EcContainer, type EcEngine, endedAtOnce } from "./containers.ts";
import type { EcPlace } from "./place.ts";
import { type Plugs, parsePlugs, plug, plugsText, redirect, removePorts, unplug } from "./plug.ts";
import { idlePorts, tellYard } from "./rows.ts";
import { LAST_SLOT, slotOf, type Vswitch } from "./slots.ts";
import { vswitchOf } from "./vswitch.ts";

export interface EcContext {
  readonly place: EcPlace;
  readonly engine: EcEngine;
  readonly options: EcOptions;
  readonly info: (line: string) => void;
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
  const { place, engine, options, info } = context;
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
      throw error instanceof YardError && error.code === "namespace.missing" ? endedAtOnce(error) : error;
    }
    await tellYard(place, engine);
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
      if (!options.noRm) {
        info(`Removing container ${name}...`);
        await engine.remove(container.id);
      }
    } else await removePorts(place, [name]);
    await tellYard(place, engine);
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
    await tellYard(place, engine);
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
    await tellYard(place, engine);
    await removePorts(place, idlePorts(place));
  });
}

/** Gives every running container of ours the nics that it shall have, and takes the ports away that none has any more. */
export async function plugAll(place: EcPlace, engine: EcEngine, warn: (error: unknown) => void): Promise<void> {
  await inTurn(place, async () => {
    await tellYard(place, engine);
    for (const { id, nics } of await engine.list()) {
      try {
        const pid = await engine.pid(id);
        if (pid !== undefined) await plug(place, parsePlugs(nics), pid);
        else await unplug(place, parsePlugs(nics));
      } catch (error) {
        warn(error);
      }
    }
    await removePorts(place, idlePorts(place));
  });
}

/** Tells a switch that was started anew what is not in its database. */
export async function redirectAll(place: EcPlace, engine: EcEngine): Promise<void> {
  await inTurn(place, async () => {
    for (const { running, nics } of await engine.list()) if (running) await redirect(place, parsePlugs(nics));
  });
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

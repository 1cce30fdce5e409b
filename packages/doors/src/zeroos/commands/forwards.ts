/** Ports of the host that lead to a container or a machine. */
import { YardError } from "@switchyard/base";
import type { PortForward } from "@switchyard/yard/model";
import { changePorts, type Note } from "@switchyard/yard/store";
import { z } from "zod";
import { change, type Ground } from "../ground.ts";
import type { PlacedNic } from "../nics.ts";

/** The port of the target by that of the host, as a client wrote it. */
export type Ports = Readonly<Record<string, number>>;

export const portsSchema = z
  .record(z.string(), z.number().int().min(1).max(65_535))
  .nullish()
  .transform((map): Ports => map ?? {});

/** What ports lead to. */
export interface Target {
  readonly node: string;
  readonly nics: readonly PlacedNic[];
  readonly ports: Ports;
  /** What is kept of it, with such ports. */
  readonly noted: (ports: Ports) => Note;
}

/** @throws YardError `zeroos.bad-argument`, `zeroos.no-default` */
export function checkForwards(ports: Ports, nics: readonly PlacedNic[]): void {
  for (const host of Object.keys(ports)) hostPort(host);
  if (Object.keys(ports).length > 0 && !nics.some(({ type, destroyed }) => type === "default" && !destroyed))
    throw new YardError("zeroos.no-default", "ports are forwarded over a nic of the type default, and there is none");
}

/** In the words of a lab file. */
export function forwardWords(ports: Ports): readonly string[] {
  return Object.entries(ports).map(([host, port]) => `${hostPort(host)}:${port}`);
}

/** @throws YardError `zeroos.bad-argument`, `zeroos.no-default`, `zeroos.forward-taken` */
export async function addForward(ground: Ground, target: Target, host: string, port: number): Promise<void> {
  const { node, ports: before, nics, noted } = target;
  checkForwards({ [host]: port }, nics);
  if (before[host] !== undefined)
    throw new YardError("zeroos.forward-taken", `port ${host} leads to port ${before[host]} already`);
  const added: PortForward = { address: undefined, hostPort: hostPort(host), nodePort: port, protocol: "tcp" };
  const options = { notes: [noted({ ...before, [host]: port })] };
  const write = () => changePorts(ground.store, node, (ports) => [...ports, added], options);
  await change(ground, { nodes: [node] }, write, [noted(before)]);
}

/** @throws YardError `zeroos.no-forward` */
export async function removeForward(ground: Ground, target: Target, host: string, port: number): Promise<void> {
  const { node, ports: before, noted } = target;
  if (before[host] !== port)
    throw new YardError("zeroos.no-forward", `port ${host} does not lead to port ${port} of ${node}`);
  const { [host]: _, ...rest } = before;
  await setForwards(ground, target, rest, noted(rest));
}

/** Takes all of them away: what was forwarded was so over the default nic, which goes. */
export async function removeForwards(ground: Ground, target: Target): Promise<void> {
  if (Object.keys(target.ports).length > 0) await setForwards(ground, target, {}, target.noted({}));
}

async function setForwards(ground: Ground, { node }: Target, kept: Ports, note: Note): Promise<void> {
  const hosts = new Set(Object.keys(kept).map(hostPort));
  const stays = ({ hostPort: host }: PortForward) => hosts.has(host);
  await change(ground, { nodes: [node] }, () =>
    changePorts(ground.store, node, (ports) => ports.filter(stays), { notes: [note] }),
  );
}

/** @throws YardError `zeroos.bad-argument` */
function hostPort(text: string): number {
  const port = Number(text);
  if (/^\d{1,5}$/.test(text) && port >= 1 && port <= 65_535) return port;
  throw new YardError("zeroos.bad-argument", `invalid host port '${text}'`, {
    hint: "a number from 1 to 65535; who may connect is for the host's firewall to say",
  });
}

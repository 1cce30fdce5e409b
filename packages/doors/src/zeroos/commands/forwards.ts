/** Ports of the host that lead to a container. */
import { YardError } from "@switchyard/base";
import type { PortForward } from "@switchyard/yard/model";
import { changePorts } from "@switchyard/yard/store";
import { containerNote, containerOf } from "../containers.ts";
import { change, type Ground } from "../ground.ts";
import type { PlacedNic } from "../nics.ts";

type Ports = Readonly<Record<string, number>>;

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

/** @throws YardError `zeroos.no-container`, `zeroos.bad-argument`, `zeroos.no-default`, `zeroos.forward-taken` */
export async function addForward(ground: Ground, id: number, host: string, port: number): Promise<void> {
  const { note, node } = containerOf(ground, id);
  checkForwards({ [host]: port }, note.nics);
  const before = note.arguments.port;
  if (before[host] !== undefined)
    throw new YardError("zeroos.forward-taken", `port ${host} leads to port ${before[host]} already`);
  const added: PortForward = { address: undefined, hostPort: hostPort(host), nodePort: port, protocol: "tcp" };
  const kept = { ...note, arguments: { ...note.arguments, port: { ...before, [host]: port } } };
  await change(
    ground,
    { nodes: [node.name] },
    () =>
      changePorts(ground.store, node.name, (ports) => [...ports, added], { notes: [containerNote(node.name, kept)] }),
    [containerNote(node.name, note)],
  );
}

/** @throws YardError `zeroos.no-container`, `zeroos.no-forward` */
export async function removeForward(ground: Ground, id: number, host: string, port: number): Promise<void> {
  const { note, node } = containerOf(ground, id);
  if (note.arguments.port[host] !== port)
    throw new YardError("zeroos.no-forward", `port ${host} does not lead to port ${port} of container ${id}`);
  const { [host]: _, ...rest } = note.arguments.port;
  const kept = { ...note, arguments: { ...note.arguments, port: rest } };
  const without = (ports: readonly PortForward[]) =>
    ports.filter((one) => !(one.hostPort === hostPort(host) && one.protocol === "tcp"));
  await change(ground, { nodes: [node.name] }, () =>
    changePorts(ground.store, node.name, without, { notes: [containerNote(node.name, kept)] }),
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

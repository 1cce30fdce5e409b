import { YardError } from "@switchyard/base";
import { readImpair } from "./impair.ts";
import { linkNic, parseNicName } from "./nics.ts";
import type { DraftNode, Nodes } from "./nodes.ts";
import type { Path } from "./places.ts";
import type { Reading } from "./reading.ts";
import type { LinkEnd, LinkSpec } from "./types.ts";

/** Reads `links`, and gives the nodes at their ends the nics. */
export function readLinks(nodes: Nodes, reading: Reading): LinkSpec[] {
  return (reading.data.links ?? []).flatMap((file, index) => {
    const path = ["links", index];
    if (reading.unsure(path)) return [];
    const [a, b] = file.endpoints.map((text, end) => reading.parse([...path, "endpoints", end], text, parseEnd));
    if (a === undefined || b === undefined) return [];
    if (a.node === b.node && a.nic === b.nic) {
      reading.places.report(
        [...path, "endpoints", 1],
        () =>
          new YardError("link.to-itself", `a wire from ${a.node}:${a.nic} to itself`, {
            hint: "the two ends are two nics",
          }),
      );
      return [];
    }
    const impair = readImpair(file.impair, [...path, "impair"], reading);
    const link: LinkSpec = { name: `${a.node}:${a.nic}--${b.node}:${b.nic}`, endpoints: [a, b], mtu: file.mtu, impair };
    const attached = link.endpoints.map((end, number) =>
      attach(end, link, [...path, "endpoints", number], nodes, reading),
    );
    return attached.every(Boolean) ? [link] : [];
  });
}

/** @throws YardError `link.bad-endpoint`, `nic.bad-name` */
function parseEnd(text: string): LinkEnd {
  const [node, nic, ...rest] = text.split(":");
  if (!node || !nic || rest.length > 0)
    throw new YardError("link.bad-endpoint", `"${text}" is not the end of a link`, {
      hint: 'write "node:nic", for instance "web:eth1"',
    });
  return { node, nic: parseNicName(nic) };
}

function attach(end: LinkEnd, link: LinkSpec, path: Path, nodes: Nodes, reading: Reading): boolean {
  const node = nodes.find(
    end.node,
    path,
    (message, hint) => new YardError("link.node-unknown", message, hint === undefined ? {} : { hint }),
  );
  if (node === undefined) return false;
  const index = node.nics.findIndex(({ name }) => name === end.nic);
  const nic = node.nics[index];
  if (nic?.network !== undefined) {
    reading.places.report(
      path,
      () =>
        new YardError("link.nic-on-network", `${end.node}:${end.nic} is on network "${nic.network}"`, {
          hint: `take a nic that is free: ${freeName(node)}`,
        }),
    );
    return false;
  }
  if (nic?.link !== undefined) {
    reading.places.report(
      path,
      () =>
        new YardError("link.endpoint-taken", `${end.node}:${end.nic} is an end of ${nic.link} already`, {
          hint: `take a nic that is free: ${freeName(node)}`,
        }),
    );
    return false;
  }
  if (nic !== undefined) node.nics[index] = { ...nic, link: link.name, mtu: nic.mtu ?? link.mtu };
  else {
    node.nics.push(linkNic(end.nic, link.name, link.mtu, reading.data.defaults?.nic));
    node.paths.push(path);
  }
  return true;
}

function freeName({ nics }: DraftNode): string {
  const names = new Set(nics.map(({ name }) => name));
  let index = 0;
  while (names.has(`eth${index}`)) index++;
  return `eth${index}`;
}

import type { NetworkSpec, NodeSpec } from "../src/model/types.ts";
import { derivedMacs } from "../src/store/addresses.ts";
import type { LinkEntry, Rows } from "../src/store/rows.ts";
import { networkStatus, nicStatus, nodeStatus } from "../src/store/status.ts";
import { uuid } from "./arbitrary-rows.ts";

/** The rows of one lab, as the store would hold them with these numbers. */
export function rowsFrom(
  networks: readonly NetworkSpec[],
  nodes: readonly NodeSpec[],
  links: readonly LinkEntry[] = [],
): Rows {
  const mac = derivedMacs("t");
  return {
    yard: { name: "t", nextCfg: 1 },
    hosts: [],
    labs: [],
    links,
    bridges: [],
    networks: networks.map((it, i) => ({ ...it, uuid: uuid(i), lab: "one", status: networkStatus(new Map()) })),
    nodes: nodes.map(({ nics, ...spec }, i) => ({
      uuid: uuid(100 + i),
      name: spec.name,
      objId: i + 1,
      lab: "one",
      host: "h1",
      stopped: undefined,
      spec,
      nics: nics.map((it, n) => ({
        ...it,
        uuid: uuid(200 + 10 * i + n),
        index: n,
        mac: it.mac ?? mac(i + 1, n),
        addresses: it.ip ?? [],
        status: nicStatus(new Map()),
      })),
      status: nodeStatus(new Map()),
    })),
  };
}

/** What single rows say, parsed; what they refer to is not among it. */
import { type Cidr, type Ip, parseCidr, parseIp, parseMac, YardError } from "@switchyard/base";
import { parseChecks, parseLinkConfig, parseNicConfig, parseNodeConfig } from "./config.ts";
import { parseMaking } from "./making.ts";
import type { HostEntry, LabEntry } from "./rows.ts";
import { hostStatus, networkStatus, nicStatus, nodeStatus } from "./status.ts";
import type { HostRow, LabRow, LinkRow, NetworkRow, NicRow, NodeRow } from "./switchyard.gen.ts";

export function hostEntry(row: HostRow): HostEntry {
  return {
    uuid: row._uuid,
    name: row.name,
    curCfg: row.cur_cfg,
    agentPid: row.agent_pid,
    datapath: row.datapath,
    status: hostStatus(row.status),
  };
}

export function labEntry(row: LabRow): LabEntry {
  return { uuid: row._uuid, name: row.name, file: row.file, checks: parseChecks(row.checks, `Lab ${row.name}`) };
}

export function networkPart(row: NetworkRow) {
  const where = `Network ${row.name}`;
  return {
    uuid: row._uuid,
    name: row.name,
    ...parseMaking(row),
    cidr: sortAddresses([...row.cidr].map((text) => read(parseCidr, text, where))),
    gateway: sortAddresses([...row.gateway].map((text) => read(parseIp, text, where))),
    mtu: row.mtu,
    status: networkStatus(row.status),
  };
}

export function nodePart(row: NodeRow) {
  return {
    uuid: row._uuid,
    name: row.name,
    objId: row.obj_id,
    stopped: row.stopped,
    spec: parseNodeConfig(row),
    status: nodeStatus(row.status),
  };
}

export function nicPart(row: NicRow) {
  const where = `Nic ${row.name} ${row._uuid}`;
  return {
    uuid: row._uuid,
    index: row.index,
    name: row.name,
    mac: read(parseMac, row.mac, where),
    addresses: sortAddresses([...row.addresses].map((text) => read(parseCidr, text, where))),
    slot: row.slot,
    mtu: row.mtu,
    vlan: row.tag,
    trunks: [...row.trunks].toSorted((a, b) => a - b),
    spy: row.spy,
    ...parseNicConfig(row.config, where),
    status: nicStatus(row.status),
  };
}

export function linkPart(row: LinkRow) {
  return { uuid: row._uuid, name: row.name, mtu: row.mtu, ...parseLinkConfig(row.config, `Link ${row.name}`) };
}

function read<T>(parser: (text: string) => T, text: string, where: string): T {
  try {
    return parser(text);
  } catch (cause) {
    throw new YardError("store.bad-row", `${where}: ${cause instanceof Error ? cause.message : text}`, {
      cause,
      where,
    });
  }
}

/** IPv4 first, each family in the order of the text: a set has no order of its own. */
function sortAddresses<T extends Cidr | Ip>(list: readonly T[]): readonly T[] {
  return list.toSorted((a, b) => Number(a.includes(":")) - Number(b.includes(":")) || (a < b ? -1 : 1));
}

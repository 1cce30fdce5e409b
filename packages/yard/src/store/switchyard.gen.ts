// Generated from switchyard.ovsschema (Switchyard 1.3.0) by ovsdb's generate.ts; do not edit.
import { defineSchema, type Schema, type Uuid } from "@switchyard/ovsdb";

/** A row of Yard. */
export interface YardRow {
  readonly _uuid: Uuid;
  readonly name: string;
  /** 0…9007199254740991 */
  readonly next_cfg: number;
  /** 1…65535 */
  readonly next_obj_id: number;
  readonly external_ids: ReadonlyMap<string, string>;
}

/** A row of Host. */
export interface HostRow {
  readonly _uuid: Uuid;
  readonly name: string;
  /** 0…9007199254740991 */
  readonly cur_cfg: number;
  /** 1…4194304 */
  readonly agent_pid: number | undefined;
  readonly datapath: string;
  readonly status: ReadonlyMap<string, string>;
  readonly external_ids: ReadonlyMap<string, string>;
}

/** A row of Lab. */
export interface LabRow {
  readonly _uuid: Uuid;
  readonly name: string;
  readonly file: string;
  readonly checks: string;
  readonly external_ids: ReadonlyMap<string, string>;
}

/** A row of Network. */
export interface NetworkRow {
  readonly _uuid: Uuid;
  readonly name: string;
  readonly type: string;
  /** refers to Lab */
  readonly lab: Uuid | undefined;
  readonly cidr: ReadonlySet<string>;
  readonly gateway: ReadonlySet<string>;
  /** 68…65535 */
  readonly mtu: number | undefined;
  readonly options: ReadonlyMap<string, string>;
  readonly status: ReadonlyMap<string, string>;
  readonly external_ids: ReadonlyMap<string, string>;
}

/** A row of Node. */
export interface NodeRow {
  readonly _uuid: Uuid;
  readonly name: string;
  /** 1…65535 */
  readonly obj_id: number;
  readonly kind: string;
  readonly runtime: string;
  /** refers to Lab */
  readonly lab: Uuid | undefined;
  /** refers to Host */
  readonly host: Uuid;
  /** refers to Nic */
  readonly nics: ReadonlySet<Uuid>;
  /** 0…3600 */
  readonly stopped: number | undefined;
  readonly config: string;
  readonly status: ReadonlyMap<string, string>;
  readonly external_ids: ReadonlyMap<string, string>;
}

/** A row of Bridge. */
export interface BridgeRow {
  readonly _uuid: Uuid;
  readonly name: string;
  /** refers to Host */
  readonly host: Uuid;
  readonly mac: string;
  readonly service: ReadonlyMap<string, string>;
  readonly nat: boolean;
  readonly pins: ReadonlyMap<string, string>;
  readonly members: ReadonlySet<string>;
  readonly status: ReadonlyMap<string, string>;
  readonly external_ids: ReadonlyMap<string, string>;
}

/** A row of Nic, which lives as long as another refers to it. */
export interface NicRow {
  readonly _uuid: Uuid;
  /** 0…999 */
  readonly index: number;
  readonly name: string;
  /** refers to Network */
  readonly network: Uuid | undefined;
  /** refers to Link */
  readonly link: Uuid | undefined;
  readonly mac: string;
  readonly addresses: ReadonlySet<string>;
  /** 0…65535 */
  readonly slot: number | undefined;
  /** 68…65535 */
  readonly mtu: number | undefined;
  /** 1…4094 */
  readonly tag: number | undefined;
  /** 0…4095; at most 4096 */
  readonly trunks: ReadonlySet<number>;
  readonly spy: boolean;
  readonly config: string;
  readonly status: ReadonlyMap<string, string>;
  readonly external_ids: ReadonlyMap<string, string>;
}

/** A row of Link. */
export interface LinkRow {
  readonly _uuid: Uuid;
  readonly name: string;
  /** refers to Lab */
  readonly lab: Uuid | undefined;
  /** 68…65535 */
  readonly mtu: number | undefined;
  readonly config: string;
  readonly external_ids: ReadonlyMap<string, string>;
}

/** The tables of Switchyard 1.3.0. */
export interface SwitchyardTables {
  Yard: YardRow;
  Host: HostRow;
  Lab: LabRow;
  Network: NetworkRow;
  Node: NodeRow;
  Bridge: BridgeRow;
  Nic: NicRow;
  Link: LinkRow;
}

export const schema: Schema<SwitchyardTables> = defineSchema({
  "name": "Switchyard",
  "version": "1.3.0",
  "tables": {
    "Yard": {
      "columns": {
        "name": {"type":"string"},
        "next_cfg": {"type":{"key":{"type":"integer","minInteger":0,"maxInteger":9007199254740991}}},
        "next_obj_id": {"type":{"key":{"type":"integer","minInteger":1,"maxInteger":65535}}},
        "external_ids": {"type":{"key":"string","value":"string","min":0,"max":"unlimited"}}
      },
      "isRoot": true,
      "maxRows": 1
    },
    "Host": {
      "columns": {
        "name": {"type":"string"},
        "cur_cfg": {"type":{"key":{"type":"integer","minInteger":0,"maxInteger":9007199254740991}}},
        "agent_pid": {"type":{"key":{"type":"integer","minInteger":1,"maxInteger":4194304},"min":0,"max":1}},
        "datapath": {"type":"string"},
        "status": {"type":{"key":"string","value":"string","min":0,"max":"unlimited"}},
        "external_ids": {"type":{"key":"string","value":"string","min":0,"max":"unlimited"}}
      },
      "isRoot": true,
      "indexes": [["name"]]
    },
    "Lab": {
      "columns": {
        "name": {"type":"string"},
        "file": {"type":"string"},
        "checks": {"type":"string"},
        "external_ids": {"type":{"key":"string","value":"string","min":0,"max":"unlimited"}}
      },
      "isRoot": true,
      "indexes": [["name"]]
    },
    "Network": {
      "columns": {
        "name": {"type":"string"},
        "type": {"type":"string"},
        "lab": {"type":{"key":{"type":"uuid","refTable":"Lab","refType":"strong"},"min":0,"max":1}},
        "cidr": {"type":{"key":"string","min":0,"max":"unlimited"}},
        "gateway": {"type":{"key":"string","min":0,"max":"unlimited"}},
        "mtu": {"type":{"key":{"type":"integer","minInteger":68,"maxInteger":65535},"min":0,"max":1}},
        "options": {"type":{"key":"string","value":"string","min":0,"max":"unlimited"}},
        "status": {"type":{"key":"string","value":"string","min":0,"max":"unlimited"}},
        "external_ids": {"type":{"key":"string","value":"string","min":0,"max":"unlimited"}}
      },
      "isRoot": true,
      "indexes": [["name"]]
    },
    "Node": {
      "columns": {
        "name": {"type":"string"},
        "obj_id": {"type":{"key":{"type":"integer","minInteger":1,"maxInteger":65535}}},
        "kind": {"type":"string"},
        "runtime": {"type":"string"},
        "lab": {"type":{"key":{"type":"uuid","refTable":"Lab","refType":"strong"},"min":0,"max":1}},
        "host": {"type":{"key":{"type":"uuid","refTable":"Host","refType":"strong"}}},
        "nics": {"type":{"key":{"type":"uuid","refTable":"Nic","refType":"strong"},"min":0,"max":"unlimited"}},
        "stopped": {"type":{"key":{"type":"integer","minInteger":0,"maxInteger":3600},"min":0,"max":1}},
        "config": {"type":"string"},
        "status": {"type":{"key":"string","value":"string","min":0,"max":"unlimited"}},
        "external_ids": {"type":{"key":"string","value":"string","min":0,"max":"unlimited"}}
      },
      "isRoot": true,
      "indexes": [["name"],["obj_id"]]
    },
    "Bridge": {
      "columns": {
        "name": {"type":"string"},
        "host": {"type":{"key":{"type":"uuid","refTable":"Host","refType":"strong"}}},
        "mac": {"type":"string"},
        "service": {"type":{"key":"string","value":"string","min":0,"max":"unlimited"}},
        "nat": {"type":"boolean"},
        "pins": {"type":{"key":"string","value":"string","min":0,"max":"unlimited"}},
        "members": {"type":{"key":"string","min":0,"max":"unlimited"}},
        "status": {"type":{"key":"string","value":"string","min":0,"max":"unlimited"}},
        "external_ids": {"type":{"key":"string","value":"string","min":0,"max":"unlimited"}}
      },
      "isRoot": true,
      "indexes": [["name"]]
    },
    "Nic": {
      "columns": {
        "index": {"type":{"key":{"type":"integer","minInteger":0,"maxInteger":999}}},
        "name": {"type":"string"},
        "network": {"type":{"key":{"type":"uuid","refTable":"Network","refType":"strong"},"min":0,"max":1}},
        "link": {"type":{"key":{"type":"uuid","refTable":"Link","refType":"strong"},"min":0,"max":1}},
        "mac": {"type":"string"},
        "addresses": {"type":{"key":"string","min":0,"max":"unlimited"}},
        "slot": {"type":{"key":{"type":"integer","minInteger":0,"maxInteger":65535},"min":0,"max":1}},
        "mtu": {"type":{"key":{"type":"integer","minInteger":68,"maxInteger":65535},"min":0,"max":1}},
        "tag": {"type":{"key":{"type":"integer","minInteger":1,"maxInteger":4094},"min":0,"max":1}},
        "trunks": {"type":{"key":{"type":"integer","minInteger":0,"maxInteger":4095},"min":0,"max":4096}},
        "spy": {"type":"boolean"},
        "config": {"type":"string"},
        "status": {"type":{"key":"string","value":"string","min":0,"max":"unlimited"}},
        "external_ids": {"type":{"key":"string","value":"string","min":0,"max":"unlimited"}}
      }
    },
    "Link": {
      "columns": {
        "name": {"type":"string"},
        "lab": {"type":{"key":{"type":"uuid","refTable":"Lab","refType":"strong"},"min":0,"max":1}},
        "mtu": {"type":{"key":{"type":"integer","minInteger":68,"maxInteger":65535},"min":0,"max":1}},
        "config": {"type":"string"},
        "external_ids": {"type":{"key":"string","value":"string","min":0,"max":"unlimited"}}
      },
      "isRoot": true,
      "indexes": [["name"]]
    }
  }
});

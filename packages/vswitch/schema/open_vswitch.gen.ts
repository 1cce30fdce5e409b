// Generated from vswitch.ovsschema (Open_vSwitch 8.3.1) by ovsdb's generate.ts; do not edit.
import { defineSchema, type Schema, type Integer, type Uuid } from "@switchyard/ovsdb";

/** A row of Open_vSwitch. */
export interface OpenVSwitchRow {
  readonly _uuid: Uuid;
  /** refers to Datapath */
  readonly datapaths: ReadonlyMap<string, Uuid>;
  /** refers to Bridge */
  readonly bridges: ReadonlySet<Uuid>;
  /** refers to Manager */
  readonly manager_options: ReadonlySet<Uuid>;
  /** refers to SSL */
  readonly ssl: Uuid | undefined;
  readonly other_config: ReadonlyMap<string, string>;
  readonly external_ids: ReadonlyMap<string, string>;
  readonly next_cfg: Integer;
  readonly cur_cfg: Integer;
  /** ephemeral */
  readonly statistics: ReadonlyMap<string, string>;
  readonly ovs_version: string | undefined;
  readonly db_version: string | undefined;
  readonly system_type: string | undefined;
  readonly system_version: string | undefined;
  readonly datapath_types: ReadonlySet<string>;
  readonly iface_types: ReadonlySet<string>;
  readonly dpdk_initialized: boolean;
  readonly dpdk_version: string | undefined;
}

/** A row of Bridge, which lives as long as another refers to it. */
export interface BridgeRow {
  readonly _uuid: Uuid;
  /** fixed at insert */
  readonly name: string;
  readonly datapath_type: string;
  readonly datapath_version: string;
  /** ephemeral */
  readonly datapath_id: string | undefined;
  readonly stp_enable: boolean;
  readonly rstp_enable: boolean;
  readonly mcast_snooping_enable: boolean;
  /** refers to Port */
  readonly ports: ReadonlySet<Uuid>;
  /** refers to Mirror */
  readonly mirrors: ReadonlySet<Uuid>;
  /** refers to NetFlow */
  readonly netflow: Uuid | undefined;
  /** refers to sFlow */
  readonly sflow: Uuid | undefined;
  /** refers to IPFIX */
  readonly ipfix: Uuid | undefined;
  /** refers to Controller */
  readonly controller: ReadonlySet<Uuid>;
  readonly protocols: ReadonlySet<"OpenFlow10" | "OpenFlow11" | "OpenFlow12" | "OpenFlow13" | "OpenFlow14" | "OpenFlow15">;
  readonly fail_mode: "standalone" | "secure" | undefined;
  /** ephemeral */
  readonly status: ReadonlyMap<string, string>;
  /** ephemeral */
  readonly rstp_status: ReadonlyMap<string, string>;
  readonly other_config: ReadonlyMap<string, string>;
  readonly external_ids: ReadonlyMap<string, string>;
  /** 0…4095; at most 4096 */
  readonly flood_vlans: ReadonlySet<number>;
  /** 0…254; refers to Flow_Table */
  readonly flow_tables: ReadonlyMap<number, Uuid>;
  /** refers to AutoAttach */
  readonly auto_attach: Uuid | undefined;
}

/** A row of Port, which lives as long as another refers to it. */
export interface PortRow {
  readonly _uuid: Uuid;
  /** fixed at insert */
  readonly name: string;
  /** refers to Interface */
  readonly interfaces: ReadonlySet<Uuid>;
  /** 0…4095; at most 4096 */
  readonly trunks: ReadonlySet<number>;
  /** 0…4095; at most 4096 */
  readonly cvlans: ReadonlySet<number>;
  /** 0…4095 */
  readonly tag: number | undefined;
  readonly vlan_mode: "trunk" | "access" | "native-tagged" | "native-untagged" | "dot1q-tunnel" | undefined;
  /** refers to QoS */
  readonly qos: Uuid | undefined;
  readonly mac: string | undefined;
  readonly bond_mode: "balance-tcp" | "balance-slb" | "active-backup" | undefined;
  readonly lacp: "active" | "passive" | "off" | undefined;
  readonly bond_updelay: Integer;
  readonly bond_downdelay: Integer;
  readonly bond_active_slave: string | undefined;
  readonly bond_fake_iface: boolean;
  readonly fake_bridge: boolean;
  /** ephemeral */
  readonly status: ReadonlyMap<string, string>;
  /** ephemeral */
  readonly rstp_status: ReadonlyMap<string, string>;
  /** ephemeral */
  readonly rstp_statistics: ReadonlyMap<string, Integer>;
  /** ephemeral */
  readonly statistics: ReadonlyMap<string, Integer>;
  readonly protected: boolean;
  readonly other_config: ReadonlyMap<string, string>;
  readonly external_ids: ReadonlyMap<string, string>;
}

/** A row of Interface, which lives as long as another refers to it. */
export interface InterfaceRow {
  readonly _uuid: Uuid;
  /** fixed at insert */
  readonly name: string;
  readonly type: string;
  readonly options: ReadonlyMap<string, string>;
  /** 0… */
  readonly ingress_policing_rate: Integer;
  /** 0… */
  readonly ingress_policing_burst: Integer;
  /** 0… */
  readonly ingress_policing_kpkts_rate: Integer;
  /** 0… */
  readonly ingress_policing_kpkts_burst: Integer;
  /** ephemeral */
  readonly mac_in_use: string | undefined;
  readonly mac: string | undefined;
  /** 0…4294967295; ephemeral */
  readonly ifindex: number | undefined;
  readonly external_ids: ReadonlyMap<string, string>;
  readonly ofport: Integer | undefined;
  /** 1…65279 */
  readonly ofport_request: number | undefined;
  readonly bfd: ReadonlyMap<string, string>;
  /** ephemeral */
  readonly bfd_status: ReadonlyMap<string, string>;
  readonly cfm_mpid: Integer | undefined;
  /** ephemeral */
  readonly cfm_remote_mpids: ReadonlySet<Integer>;
  readonly cfm_flap_count: Integer | undefined;
  /** ephemeral */
  readonly cfm_fault: boolean | undefined;
  /** ephemeral */
  readonly cfm_fault_status: ReadonlySet<string>;
  /** ephemeral */
  readonly cfm_remote_opstate: "up" | "down" | undefined;
  /** 0…100; ephemeral */
  readonly cfm_health: number | undefined;
  /** ephemeral */
  readonly lacp_current: boolean | undefined;
  readonly lldp: ReadonlyMap<string, string>;
  readonly other_config: ReadonlyMap<string, string>;
  /** ephemeral */
  readonly statistics: ReadonlyMap<string, Integer>;
  /** ephemeral */
  readonly status: ReadonlyMap<string, string>;
  /** ephemeral */
  readonly admin_state: "up" | "down" | undefined;
  /** ephemeral */
  readonly link_state: "up" | "down" | undefined;
  /** ephemeral */
  readonly link_resets: Integer | undefined;
  /** ephemeral */
  readonly link_speed: Integer | undefined;
  /** ephemeral */
  readonly duplex: "half" | "full" | undefined;
  /** ephemeral */
  readonly mtu: Integer | undefined;
  /** 1… */
  readonly mtu_request: Integer | undefined;
  readonly error: string | undefined;
}

/** A row of Flow_Table, which lives as long as another refers to it. */
export interface FlowTableRow {
  readonly _uuid: Uuid;
  readonly name: string | undefined;
  /** 0… */
  readonly flow_limit: Integer | undefined;
  readonly overflow_policy: "refuse" | "evict" | undefined;
  readonly groups: ReadonlySet<string>;
  /** at most 3 */
  readonly prefixes: ReadonlySet<string>;
  readonly external_ids: ReadonlyMap<string, string>;
}

/** A row of QoS. */
export interface QoSRow {
  readonly _uuid: Uuid;
  readonly type: string;
  /** 0…4294967295; refers to Queue */
  readonly queues: ReadonlyMap<number, Uuid>;
  readonly other_config: ReadonlyMap<string, string>;
  readonly external_ids: ReadonlyMap<string, string>;
}

/** A row of Queue. */
export interface QueueRow {
  readonly _uuid: Uuid;
  /** 0…63 */
  readonly dscp: number | undefined;
  readonly other_config: ReadonlyMap<string, string>;
  readonly external_ids: ReadonlyMap<string, string>;
}

/** A row of Mirror, which lives as long as another refers to it. */
export interface MirrorRow {
  readonly _uuid: Uuid;
  readonly name: string;
  readonly select_all: boolean;
  /** weakly refers to Port */
  readonly select_src_port: ReadonlySet<Uuid>;
  /** weakly refers to Port */
  readonly select_dst_port: ReadonlySet<Uuid>;
  /** 0…4095; at most 4096 */
  readonly select_vlan: ReadonlySet<number>;
  /** weakly refers to Port */
  readonly output_port: Uuid | undefined;
  /** 1…4095 */
  readonly output_vlan: number | undefined;
  /** 14…65535 */
  readonly snaplen: number | undefined;
  /** ephemeral */
  readonly statistics: ReadonlyMap<string, Integer>;
  readonly external_ids: ReadonlyMap<string, string>;
}

/** A row of NetFlow, which lives as long as another refers to it. */
export interface NetFlowRow {
  readonly _uuid: Uuid;
  readonly targets: ReadonlySet<string>;
  /** 0…255 */
  readonly engine_type: number | undefined;
  /** 0…255 */
  readonly engine_id: number | undefined;
  readonly add_id_to_interface: boolean;
  /** -1… */
  readonly active_timeout: Integer;
  readonly external_ids: ReadonlyMap<string, string>;
}

/** A row of sFlow, which lives as long as another refers to it. */
export interface SFlowRow {
  readonly _uuid: Uuid;
  readonly targets: ReadonlySet<string>;
  readonly sampling: Integer | undefined;
  readonly polling: Integer | undefined;
  readonly header: Integer | undefined;
  readonly agent: string | undefined;
  readonly external_ids: ReadonlyMap<string, string>;
}

/** A row of IPFIX, which lives as long as another refers to it. */
export interface IPFIXRow {
  readonly _uuid: Uuid;
  readonly targets: ReadonlySet<string>;
  /** 1…4294967295 */
  readonly sampling: number | undefined;
  /** 0…4294967295 */
  readonly obs_domain_id: number | undefined;
  /** 0…4294967295 */
  readonly obs_point_id: number | undefined;
  /** 0…4200 */
  readonly cache_active_timeout: number | undefined;
  /** 0…4294967295 */
  readonly cache_max_flows: number | undefined;
  readonly other_config: ReadonlyMap<string, string>;
  readonly external_ids: ReadonlyMap<string, string>;
}

/** A row of Flow_Sample_Collector_Set. */
export interface FlowSampleCollectorSetRow {
  readonly _uuid: Uuid;
  /** 0…4294967295 */
  readonly id: number;
  /** refers to Bridge */
  readonly bridge: Uuid;
  /** refers to IPFIX */
  readonly ipfix: Uuid | undefined;
  readonly external_ids: ReadonlyMap<string, string>;
}

/** A row of Controller, which lives as long as another refers to it. */
export interface ControllerRow {
  readonly _uuid: Uuid;
  readonly type: "primary" | "service" | undefined;
  readonly target: string;
  /** 1000… */
  readonly max_backoff: Integer | undefined;
  readonly inactivity_probe: Integer | undefined;
  readonly connection_mode: "in-band" | "out-of-band" | undefined;
  readonly local_ip: string | undefined;
  readonly local_netmask: string | undefined;
  readonly local_gateway: string | undefined;
  readonly enable_async_messages: boolean | undefined;
  /** 1…512 */
  readonly controller_queue_size: number | undefined;
  /** 100… */
  readonly controller_rate_limit: Integer | undefined;
  /** 25… */
  readonly controller_burst_limit: Integer | undefined;
  readonly other_config: ReadonlyMap<string, string>;
  readonly external_ids: ReadonlyMap<string, string>;
  /** ephemeral */
  readonly is_connected: boolean;
  /** ephemeral */
  readonly role: "other" | "master" | "slave" | undefined;
  /** ephemeral */
  readonly status: ReadonlyMap<string, string>;
}

/** A row of Manager, which lives as long as another refers to it. */
export interface ManagerRow {
  readonly _uuid: Uuid;
  readonly target: string;
  /** 1000… */
  readonly max_backoff: Integer | undefined;
  readonly inactivity_probe: Integer | undefined;
  readonly connection_mode: "in-band" | "out-of-band" | undefined;
  readonly other_config: ReadonlyMap<string, string>;
  readonly external_ids: ReadonlyMap<string, string>;
  /** ephemeral */
  readonly is_connected: boolean;
  /** ephemeral */
  readonly status: ReadonlyMap<string, string>;
}

/** A row of Datapath, which lives as long as another refers to it. */
export interface DatapathRow {
  readonly _uuid: Uuid;
  readonly datapath_version: string;
  /** 0…65535; refers to CT_Zone */
  readonly ct_zones: ReadonlyMap<number, Uuid>;
  readonly capabilities: ReadonlyMap<string, string>;
  readonly external_ids: ReadonlyMap<string, string>;
}

/** A row of CT_Zone, which lives as long as another refers to it. */
export interface CTZoneRow {
  readonly _uuid: Uuid;
  /** refers to CT_Timeout_Policy */
  readonly timeout_policy: Uuid | undefined;
  readonly external_ids: ReadonlyMap<string, string>;
}

/** A row of CT_Timeout_Policy, which lives as long as another refers to it. */
export interface CTTimeoutPolicyRow {
  readonly _uuid: Uuid;
  /** 0…4294967295 */
  readonly timeouts: ReadonlyMap<"tcp_syn_sent" | "tcp_syn_recv" | "tcp_established" | "tcp_fin_wait" | "tcp_close_wait" | "tcp_last_ack" | "tcp_time_wait" | "tcp_close" | "tcp_syn_sent2" | "tcp_retransmit" | "tcp_unack" | "udp_first" | "udp_single" | "udp_multiple" | "icmp_first" | "icmp_reply", number>;
  readonly external_ids: ReadonlyMap<string, string>;
}

/** A row of SSL, which lives as long as another refers to it. */
export interface SSLRow {
  readonly _uuid: Uuid;
  readonly private_key: string;
  readonly certificate: string;
  readonly ca_cert: string;
  readonly bootstrap_ca_cert: boolean;
  readonly external_ids: ReadonlyMap<string, string>;
}

/** A row of AutoAttach, which lives as long as another refers to it. */
export interface AutoAttachRow {
  readonly _uuid: Uuid;
  readonly system_name: string;
  readonly system_description: string;
  /** 0…16777215; 0…4095 */
  readonly mappings: ReadonlyMap<number, number>;
}

/** The tables of Open_vSwitch 8.3.1. */
export interface OpenVSwitchTables {
  Open_vSwitch: OpenVSwitchRow;
  Bridge: BridgeRow;
  Port: PortRow;
  Interface: InterfaceRow;
  Flow_Table: FlowTableRow;
  QoS: QoSRow;
  Queue: QueueRow;
  Mirror: MirrorRow;
  NetFlow: NetFlowRow;
  sFlow: SFlowRow;
  IPFIX: IPFIXRow;
  Flow_Sample_Collector_Set: FlowSampleCollectorSetRow;
  Controller: ControllerRow;
  Manager: ManagerRow;
  Datapath: DatapathRow;
  CT_Zone: CTZoneRow;
  CT_Timeout_Policy: CTTimeoutPolicyRow;
  SSL: SSLRow;
  AutoAttach: AutoAttachRow;
}

export const schema: Schema<OpenVSwitchTables> = defineSchema({
  "name": "Open_vSwitch",
  "version": "8.3.1",
  "cksum": "3012963480 26720",
  "tables": {
    "Open_vSwitch": {
      "columns": {
        "datapaths": {"type":{"key":{"type":"string"},"value":{"type":"uuid","refTable":"Datapath"},"min":0,"max":"unlimited"}},
        "bridges": {"type":{"key":{"type":"uuid","refTable":"Bridge"},"min":0,"max":"unlimited"}},
        "manager_options": {"type":{"key":{"type":"uuid","refTable":"Manager"},"min":0,"max":"unlimited"}},
        "ssl": {"type":{"key":{"type":"uuid","refTable":"SSL"},"min":0,"max":1}},
        "other_config": {"type":{"key":"string","value":"string","min":0,"max":"unlimited"}},
        "external_ids": {"type":{"key":"string","value":"string","min":0,"max":"unlimited"}},
        "next_cfg": {"type":"integer"},
        "cur_cfg": {"type":"integer"},
        "statistics": {"type":{"key":"string","value":"string","min":0,"max":"unlimited"},"ephemeral":true},
        "ovs_version": {"type":{"key":{"type":"string"},"min":0,"max":1}},
        "db_version": {"type":{"key":{"type":"string"},"min":0,"max":1}},
        "system_type": {"type":{"key":{"type":"string"},"min":0,"max":1}},
        "system_version": {"type":{"key":{"type":"string"},"min":0,"max":1}},
        "datapath_types": {"type":{"key":{"type":"string"},"min":0,"max":"unlimited"}},
        "iface_types": {"type":{"key":{"type":"string"},"min":0,"max":"unlimited"}},
        "dpdk_initialized": {"type":"boolean"},
        "dpdk_version": {"type":{"key":{"type":"string"},"min":0,"max":1}}
      },
      "isRoot": true,
      "maxRows": 1
    },
    "Bridge": {
      "columns": {
        "name": {"type":"string","mutable":false},
        "datapath_type": {"type":"string"},
        "datapath_version": {"type":"string"},
        "datapath_id": {"type":{"key":"string","min":0,"max":1},"ephemeral":true},
        "stp_enable": {"type":"boolean"},
        "rstp_enable": {"type":"boolean"},
        "mcast_snooping_enable": {"type":"boolean"},
        "ports": {"type":{"key":{"type":"uuid","refTable":"Port"},"min":0,"max":"unlimited"}},
        "mirrors": {"type":{"key":{"type":"uuid","refTable":"Mirror"},"min":0,"max":"unlimited"}},
        "netflow": {"type":{"key":{"type":"uuid","refTable":"NetFlow"},"min":0,"max":1}},
        "sflow": {"type":{"key":{"type":"uuid","refTable":"sFlow"},"min":0,"max":1}},
        "ipfix": {"type":{"key":{"type":"uuid","refTable":"IPFIX"},"min":0,"max":1}},
        "controller": {"type":{"key":{"type":"uuid","refTable":"Controller"},"min":0,"max":"unlimited"}},
        "protocols": {"type":{"key":{"type":"string","enum":["set",["OpenFlow10","OpenFlow11","OpenFlow12","OpenFlow13","OpenFlow14","OpenFlow15"]]},"min":0,"max":"unlimited"}},
        "fail_mode": {"type":{"key":{"type":"string","enum":["set",["standalone","secure"]]},"min":0,"max":1}},
        "status": {"type":{"key":"string","value":"string","min":0,"max":"unlimited"},"ephemeral":true},
        "rstp_status": {"type":{"key":"string","value":"string","min":0,"max":"unlimited"},"ephemeral":true},
        "other_config": {"type":{"key":"string","value":"string","min":0,"max":"unlimited"}},
        "external_ids": {"type":{"key":"string","value":"string","min":0,"max":"unlimited"}},
        "flood_vlans": {"type":{"key":{"type":"integer","minInteger":0,"maxInteger":4095},"min":0,"max":4096}},
        "flow_tables": {"type":{"key":{"type":"integer","minInteger":0,"maxInteger":254},"value":{"type":"uuid","refTable":"Flow_Table"},"min":0,"max":"unlimited"}},
        "auto_attach": {"type":{"key":{"type":"uuid","refTable":"AutoAttach"},"min":0,"max":1}}
      },
      "indexes": [["name"]]
    },
    "Port": {
      "columns": {
        "name": {"type":"string","mutable":false},
        "interfaces": {"type":{"key":{"type":"uuid","refTable":"Interface"},"min":1,"max":"unlimited"}},
        "trunks": {"type":{"key":{"type":"integer","minInteger":0,"maxInteger":4095},"min":0,"max":4096}},
        "cvlans": {"type":{"key":{"type":"integer","minInteger":0,"maxInteger":4095},"min":0,"max":4096}},
        "tag": {"type":{"key":{"type":"integer","minInteger":0,"maxInteger":4095},"min":0,"max":1}},
        "vlan_mode": {"type":{"key":{"type":"string","enum":["set",["trunk","access","native-tagged","native-untagged","dot1q-tunnel"]]},"min":0,"max":1}},
        "qos": {"type":{"key":{"type":"uuid","refTable":"QoS"},"min":0,"max":1}},
        "mac": {"type":{"key":{"type":"string"},"min":0,"max":1}},
        "bond_mode": {"type":{"key":{"type":"string","enum":["set",["balance-tcp","balance-slb","active-backup"]]},"min":0,"max":1}},
        "lacp": {"type":{"key":{"type":"string","enum":["set",["active","passive","off"]]},"min":0,"max":1}},
        "bond_updelay": {"type":"integer"},
        "bond_downdelay": {"type":"integer"},
        "bond_active_slave": {"type":{"key":{"type":"string"},"min":0,"max":1}},
        "bond_fake_iface": {"type":"boolean"},
        "fake_bridge": {"type":"boolean"},
        "status": {"type":{"key":"string","value":"string","min":0,"max":"unlimited"},"ephemeral":true},
        "rstp_status": {"type":{"key":"string","value":"string","min":0,"max":"unlimited"},"ephemeral":true},
        "rstp_statistics": {"type":{"key":"string","value":"integer","min":0,"max":"unlimited"},"ephemeral":true},
        "statistics": {"type":{"key":"string","value":"integer","min":0,"max":"unlimited"},"ephemeral":true},
        "protected": {"type":"boolean"},
        "other_config": {"type":{"key":"string","value":"string","min":0,"max":"unlimited"}},
        "external_ids": {"type":{"key":"string","value":"string","min":0,"max":"unlimited"}}
      },
      "indexes": [["name"]]
    },
    "Interface": {
      "columns": {
        "name": {"type":"string","mutable":false},
        "type": {"type":"string"},
        "options": {"type":{"key":"string","value":"string","min":0,"max":"unlimited"}},
        "ingress_policing_rate": {"type":{"key":{"type":"integer","minInteger":0}}},
        "ingress_policing_burst": {"type":{"key":{"type":"integer","minInteger":0}}},
        "ingress_policing_kpkts_rate": {"type":{"key":{"type":"integer","minInteger":0}}},
        "ingress_policing_kpkts_burst": {"type":{"key":{"type":"integer","minInteger":0}}},
        "mac_in_use": {"type":{"key":{"type":"string"},"min":0,"max":1},"ephemeral":true},
        "mac": {"type":{"key":{"type":"string"},"min":0,"max":1}},
        "ifindex": {"type":{"key":{"type":"integer","minInteger":0,"maxInteger":4294967295},"min":0,"max":1},"ephemeral":true},
        "external_ids": {"type":{"key":"string","value":"string","min":0,"max":"unlimited"}},
        "ofport": {"type":{"key":"integer","min":0,"max":1}},
        "ofport_request": {"type":{"key":{"type":"integer","minInteger":1,"maxInteger":65279},"min":0,"max":1}},
        "bfd": {"type":{"key":"string","value":"string","min":0,"max":"unlimited"}},
        "bfd_status": {"type":{"key":"string","value":"string","min":0,"max":"unlimited"},"ephemeral":true},
        "cfm_mpid": {"type":{"key":{"type":"integer"},"min":0,"max":1}},
        "cfm_remote_mpids": {"type":{"key":{"type":"integer"},"min":0,"max":"unlimited"},"ephemeral":true},
        "cfm_flap_count": {"type":{"key":{"type":"integer"},"min":0,"max":1}},
        "cfm_fault": {"type":{"key":{"type":"boolean"},"min":0,"max":1},"ephemeral":true},
        "cfm_fault_status": {"type":{"key":"string","min":0,"max":"unlimited"},"ephemeral":true},
        "cfm_remote_opstate": {"type":{"key":{"type":"string","enum":["set",["up","down"]]},"min":0,"max":1},"ephemeral":true},
        "cfm_health": {"type":{"key":{"type":"integer","minInteger":0,"maxInteger":100},"min":0,"max":1},"ephemeral":true},
        "lacp_current": {"type":{"key":{"type":"boolean"},"min":0,"max":1},"ephemeral":true},
        "lldp": {"type":{"key":"string","value":"string","min":0,"max":"unlimited"}},
        "other_config": {"type":{"key":"string","value":"string","min":0,"max":"unlimited"}},
        "statistics": {"type":{"key":"string","value":"integer","min":0,"max":"unlimited"},"ephemeral":true},
        "status": {"type":{"key":"string","value":"string","min":0,"max":"unlimited"},"ephemeral":true},
        "admin_state": {"type":{"key":{"type":"string","enum":["set",["up","down"]]},"min":0,"max":1},"ephemeral":true},
        "link_state": {"type":{"key":{"type":"string","enum":["set",["up","down"]]},"min":0,"max":1},"ephemeral":true},
        "link_resets": {"type":{"key":{"type":"integer"},"min":0,"max":1},"ephemeral":true},
        "link_speed": {"type":{"key":"integer","min":0,"max":1},"ephemeral":true},
        "duplex": {"type":{"key":{"type":"string","enum":["set",["half","full"]]},"min":0,"max":1},"ephemeral":true},
        "mtu": {"type":{"key":"integer","min":0,"max":1},"ephemeral":true},
        "mtu_request": {"type":{"key":{"type":"integer","minInteger":1},"min":0,"max":1}},
        "error": {"type":{"key":"string","min":0,"max":1}}
      },
      "indexes": [["name"]]
    },
    "Flow_Table": {
      "columns": {
        "name": {"type":{"key":"string","min":0,"max":1}},
        "flow_limit": {"type":{"key":{"type":"integer","minInteger":0},"min":0,"max":1}},
        "overflow_policy": {"type":{"key":{"type":"string","enum":["set",["refuse","evict"]]},"min":0,"max":1}},
        "groups": {"type":{"key":"string","min":0,"max":"unlimited"}},
        "prefixes": {"type":{"key":"string","min":0,"max":3}},
        "external_ids": {"type":{"key":"string","value":"string","min":0,"max":"unlimited"}}
      }
    },
    "QoS": {
      "columns": {
        "type": {"type":"string"},
        "queues": {"type":{"key":{"type":"integer","minInteger":0,"maxInteger":4294967295},"value":{"type":"uuid","refTable":"Queue"},"min":0,"max":"unlimited"}},
        "other_config": {"type":{"key":"string","value":"string","min":0,"max":"unlimited"}},
        "external_ids": {"type":{"key":"string","value":"string","min":0,"max":"unlimited"}}
      },
      "isRoot": true
    },
    "Queue": {
      "columns": {
        "dscp": {"type":{"key":{"type":"integer","minInteger":0,"maxInteger":63},"min":0,"max":1}},
        "other_config": {"type":{"key":"string","value":"string","min":0,"max":"unlimited"}},
        "external_ids": {"type":{"key":"string","value":"string","min":0,"max":"unlimited"}}
      },
      "isRoot": true
    },
    "Mirror": {
      "columns": {
        "name": {"type":"string"},
        "select_all": {"type":"boolean"},
        "select_src_port": {"type":{"key":{"type":"uuid","refTable":"Port","refType":"weak"},"min":0,"max":"unlimited"}},
        "select_dst_port": {"type":{"key":{"type":"uuid","refTable":"Port","refType":"weak"},"min":0,"max":"unlimited"}},
        "select_vlan": {"type":{"key":{"type":"integer","minInteger":0,"maxInteger":4095},"min":0,"max":4096}},
        "output_port": {"type":{"key":{"type":"uuid","refTable":"Port","refType":"weak"},"min":0,"max":1}},
        "output_vlan": {"type":{"key":{"type":"integer","minInteger":1,"maxInteger":4095},"min":0,"max":1}},
        "snaplen": {"type":{"key":{"type":"integer","minInteger":14,"maxInteger":65535},"min":0,"max":1}},
        "statistics": {"type":{"key":"string","value":"integer","min":0,"max":"unlimited"},"ephemeral":true},
        "external_ids": {"type":{"key":"string","value":"string","min":0,"max":"unlimited"}}
      }
    },
    "NetFlow": {
      "columns": {
        "targets": {"type":{"key":{"type":"string"},"min":1,"max":"unlimited"}},
        "engine_type": {"type":{"key":{"type":"integer","minInteger":0,"maxInteger":255},"min":0,"max":1}},
        "engine_id": {"type":{"key":{"type":"integer","minInteger":0,"maxInteger":255},"min":0,"max":1}},
        "add_id_to_interface": {"type":"boolean"},
        "active_timeout": {"type":{"key":{"type":"integer","minInteger":-1}}},
        "external_ids": {"type":{"key":"string","value":"string","min":0,"max":"unlimited"}}
      }
    },
    "sFlow": {
      "columns": {
        "targets": {"type":{"key":"string","min":1,"max":"unlimited"}},
        "sampling": {"type":{"key":"integer","min":0,"max":1}},
        "polling": {"type":{"key":"integer","min":0,"max":1}},
        "header": {"type":{"key":"integer","min":0,"max":1}},
        "agent": {"type":{"key":"string","min":0,"max":1}},
        "external_ids": {"type":{"key":"string","value":"string","min":0,"max":"unlimited"}}
      }
    },
    "IPFIX": {
      "columns": {
        "targets": {"type":{"key":"string","min":0,"max":"unlimited"}},
        "sampling": {"type":{"key":{"type":"integer","minInteger":1,"maxInteger":4294967295},"min":0,"max":1}},
        "obs_domain_id": {"type":{"key":{"type":"integer","minInteger":0,"maxInteger":4294967295},"min":0,"max":1}},
        "obs_point_id": {"type":{"key":{"type":"integer","minInteger":0,"maxInteger":4294967295},"min":0,"max":1}},
        "cache_active_timeout": {"type":{"key":{"type":"integer","minInteger":0,"maxInteger":4200},"min":0,"max":1}},
        "cache_max_flows": {"type":{"key":{"type":"integer","minInteger":0,"maxInteger":4294967295},"min":0,"max":1}},
        "other_config": {"type":{"key":"string","value":"string","min":0,"max":"unlimited"}},
        "external_ids": {"type":{"key":"string","value":"string","min":0,"max":"unlimited"}}
      }
    },
    "Flow_Sample_Collector_Set": {
      "columns": {
        "id": {"type":{"key":{"type":"integer","minInteger":0,"maxInteger":4294967295},"min":1,"max":1}},
        "bridge": {"type":{"key":{"type":"uuid","refTable":"Bridge"},"min":1,"max":1}},
        "ipfix": {"type":{"key":{"type":"uuid","refTable":"IPFIX"},"min":0,"max":1}},
        "external_ids": {"type":{"key":"string","value":"string","min":0,"max":"unlimited"}}
      },
      "isRoot": true,
      "indexes": [["id","bridge"]]
    },
    "Controller": {
      "columns": {
        "type": {"type":{"key":{"type":"string","enum":["set",["primary","service"]]},"min":0,"max":1}},
        "target": {"type":"string"},
        "max_backoff": {"type":{"key":{"type":"integer","minInteger":1000},"min":0,"max":1}},
        "inactivity_probe": {"type":{"key":"integer","min":0,"max":1}},
        "connection_mode": {"type":{"key":{"type":"string","enum":["set",["in-band","out-of-band"]]},"min":0,"max":1}},
        "local_ip": {"type":{"key":{"type":"string"},"min":0,"max":1}},
        "local_netmask": {"type":{"key":{"type":"string"},"min":0,"max":1}},
        "local_gateway": {"type":{"key":{"type":"string"},"min":0,"max":1}},
        "enable_async_messages": {"type":{"key":{"type":"boolean"},"min":0,"max":1}},
        "controller_queue_size": {"type":{"key":{"type":"integer","minInteger":1,"maxInteger":512},"min":0,"max":1}},
        "controller_rate_limit": {"type":{"key":{"type":"integer","minInteger":100},"min":0,"max":1}},
        "controller_burst_limit": {"type":{"key":{"type":"integer","minInteger":25},"min":0,"max":1}},
        "other_config": {"type":{"key":"string","value":"string","min":0,"max":"unlimited"}},
        "external_ids": {"type":{"key":"string","value":"string","min":0,"max":"unlimited"}},
        "is_connected": {"type":"boolean","ephemeral":true},
        "role": {"type":{"key":{"type":"string","enum":["set",["other","master","slave"]]},"min":0,"max":1},"ephemeral":true},
        "status": {"type":{"key":"string","value":"string","min":0,"max":"unlimited"},"ephemeral":true}
      }
    },
    "Manager": {
      "columns": {
        "target": {"type":"string"},
        "max_backoff": {"type":{"key":{"type":"integer","minInteger":1000},"min":0,"max":1}},
        "inactivity_probe": {"type":{"key":"integer","min":0,"max":1}},
        "connection_mode": {"type":{"key":{"type":"string","enum":["set",["in-band","out-of-band"]]},"min":0,"max":1}},
        "other_config": {"type":{"key":"string","value":"string","min":0,"max":"unlimited"}},
        "external_ids": {"type":{"key":"string","value":"string","min":0,"max":"unlimited"}},
        "is_connected": {"type":"boolean","ephemeral":true},
        "status": {"type":{"key":"string","value":"string","min":0,"max":"unlimited"},"ephemeral":true}
      },
      "indexes": [["target"]]
    },
    "Datapath": {
      "columns": {
        "datapath_version": {"type":"string"},
        "ct_zones": {"type":{"key":{"type":"integer","minInteger":0,"maxInteger":65535},"value":{"type":"uuid","refTable":"CT_Zone"},"min":0,"max":"unlimited"}},
        "capabilities": {"type":{"key":"string","value":"string","min":0,"max":"unlimited"}},
        "external_ids": {"type":{"key":"string","value":"string","min":0,"max":"unlimited"}}
      }
    },
    "CT_Zone": {
      "columns": {
        "timeout_policy": {"type":{"key":{"type":"uuid","refTable":"CT_Timeout_Policy"},"min":0,"max":1}},
        "external_ids": {"type":{"key":"string","value":"string","min":0,"max":"unlimited"}}
      }
    },
    "CT_Timeout_Policy": {
      "columns": {
        "timeouts": {"type":{"key":{"type":"string","enum":["set",["tcp_syn_sent","tcp_syn_recv","tcp_established","tcp_fin_wait","tcp_close_wait","tcp_last_ack","tcp_time_wait","tcp_close","tcp_syn_sent2","tcp_retransmit","tcp_unack","udp_first","udp_single","udp_multiple","icmp_first","icmp_reply"]]},"value":{"type":"integer","minInteger":0,"maxInteger":4294967295},"min":0,"max":"unlimited"}},
        "external_ids": {"type":{"key":"string","value":"string","min":0,"max":"unlimited"}}
      }
    },
    "SSL": {
      "columns": {
        "private_key": {"type":"string"},
        "certificate": {"type":"string"},
        "ca_cert": {"type":"string"},
        "bootstrap_ca_cert": {"type":"boolean"},
        "external_ids": {"type":{"key":"string","value":"string","min":0,"max":"unlimited"}}
      },
      "maxRows": 1
    },
    "AutoAttach": {
      "columns": {
        "system_name": {"type":"string"},
        "system_description": {"type":"string"},
        "mappings": {"type":{"key":{"type":"integer","minInteger":0,"maxInteger":16777215},"value":{"type":"integer","minInteger":0,"maxInteger":4095},"min":0,"max":"unlimited"}}
      }
    }
  }
});

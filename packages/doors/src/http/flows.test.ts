import { expect, test } from "bun:test";
import { flowAt, outputsIn, parseDatapathPorts, parseFlows, parseTrace, vlanOf } from "./flows.ts";

test("flows are read as the switch prints them", () => {
  const text = [
    "duration=24s, table_id=0, n_packets=12, n_bytes=1016, priority=0,actions=NORMAL",
    "table_id=254, duration=24s, n_packets=0, n_bytes=0, priority=2,recirc_id=0,actions=drop",
    " cookie=0x7, duration=1.5s, n_packets=1, n_bytes=60, tcp,in_port=1,nw_dst=10.0.0.0/8,actions=output:2,mod_vlan_vid:5",
    "",
  ].join("\n");
  expect(parseFlows(text)).toEqual([
    { table: 0, priority: 0, match: "", actions: "NORMAL", packets: 12, bytes: 1016, seconds: 24 },
    { table: 254, priority: 2, match: "recirc_id=0", actions: "drop", packets: 0, bytes: 0, seconds: 24 },
    {
      table: 0,
      priority: 32_768,
      match: "tcp,in_port=1,nw_dst=10.0.0.0/8",
      actions: "output:2,mod_vlan_vid:5",
      packets: 1,
      bytes: 60,
      seconds: 1.5,
    },
  ]);
});

test("a trace is read bridge by bridge", () => {
  const text = `Flow: icmp,in_port=1

bridge("br0")
-------------
 0. priority 0
    NORMAL
     -> no learned MAC for destination, flooding

bridge("br1")
-------------
 0. in_port=3, priority 7, cookie 0x1
    output:4

Final flow: unchanged
Megaflow: recirc_id=0,eth,ip,in_port=1
Datapath actions: push_vlan(vid=5,pcp=0),2,pop_vlan,3
`;
  expect(parseTrace(text)).toEqual({
    hops: [
      {
        bridge: "br0",
        steps: [{ table: 0, rule: "priority 0", does: ["NORMAL", "no learned MAC for destination, flooding"] }],
      },
      { bridge: "br1", steps: [{ table: 0, rule: "in_port=3, priority 7, cookie 0x1", does: ["output:4"] }] },
    ],
    actions: "push_vlan(vid=5,pcp=0),2,pop_vlan,3",
  });
  expect(outputsIn("push_vlan(vid=5,pcp=0),2,pop_vlan,3,2")).toEqual([
    { number: 2, vlan: 5 },
    { number: 3, vlan: undefined },
  ]);
  expect(outputsIn("pop_vlan,4,set(tunnel(tun_id=7,dst=10.0.0.9)),5", 9)).toEqual([
    { number: 4, vlan: undefined },
    { number: 5, vlan: undefined },
  ]);
  expect(outputsIn("drop")).toEqual([]);
  expect(outputsIn("")).toEqual([]);
  const shown =
    "netdev@ovs-netdev: hit:1 missed:2\n  br0:\n    br0 65534/1: (tap)\n    _k_2_0 2/3: (system)\n    p -/7: (patch: peer=q)\n";
  expect(parseDatapathPorts(shown)).toEqual(
    new Map([
      [1, "br0"],
      [3, "_k_2_0"],
      [7, "p"],
    ]),
  );
});

test("a packet goes on as it came out, by another port", () => {
  expect(vlanOf("in_port=1,dl_vlan=5,icmp")).toBe(5);
  expect(vlanOf("in_port=1,vlan_vid=0x1007")).toBe(7);
  expect(vlanOf("icmp,nw_src=10.0.0.1")).toBeUndefined();
  expect(flowAt("in_port=1,dl_src=02:00:00:00:00:01,dl_vlan=5,icmp", { port: 9, vlan: undefined })).toBe(
    "in_port=9,dl_src=02:00:00:00:00:01,icmp",
  );
  expect(flowAt("icmp", { port: 2, vlan: 7 })).toBe("in_port=2,icmp,dl_vlan=7");
});

import { describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { YardError } from "@switchyard/base";
import { type PluginType, readConfig } from "./config.ts";
import type { JsonRecord } from "./fields.ts";

const notes: string[] = [];

function read(type: PluginType, conf: JsonRecord, args = "", forgiving = false) {
  notes.length = 0;
  const text = JSON.stringify({ cniVersion: "1.1.0", name: "net1", type, ...conf });
  return readConfig(text, type, { args }, { note: (line) => void notes.push(line), forgiving });
}

function refusal(type: PluginType, conf: JsonRecord, args = ""): string {
  try {
    read(type, conf, args);
    return "nothing";
  } catch (error) {
    return error instanceof YardError ? `${error.code}: ${error.message}` : String(error);
  }
}

const ovs = (conf: JsonRecord, args = "") => read("ovs", { bridge: "br1", ...conf }, args).attachment;
const vlan = (conf: JsonRecord) => ovs(conf).vlan;
const none = { tag: undefined, trunks: [], cvlans: [], mode: undefined };

describe("a configuration of ovs-cni", () => {
  test("with a VLAN is an access port, with a trunk a trunk in order, with neither passes all", () => {
    expect(vlan({ vlan: 10 })).toEqual({ ...none, tag: 10, mode: "access" });
    const trunk = [{ id: 18 }, { minID: 10, maxID: 12 }, { id: 17 }, { id: 15 }, { id: 11 }];
    expect(vlan({ trunk })).toEqual({ ...none, trunks: [10, 11, 12, 15, 17, 18], mode: "trunk" });
    expect(vlan({})).toEqual(none);
  });

  test("with a VLAN and a trunk keeps both: untagged frames are in the VLAN", () => {
    expect(vlan({ vlan: 5, trunk: [{ id: 10 }] })).toEqual({ ...none, tag: 5, trunks: [10], mode: "native-untagged" });
    expect(vlan({ vlan: 5, trunk: [{ id: 10 }], vlan_mode: "native-tagged" }).mode).toBe("native-tagged");
    expect(vlan({ vlan: 5, vlan_mode: "dot1q-tunnel", cvlans: [{ id: 7 }] })).toMatchObject({ tag: 5, cvlans: [7] });
  });

  test("with a trunk that begins at 0 keeps it", () => {
    expect(vlan({ trunk: [{ minID: 0, maxID: 2 }] }).trunks).toEqual([0, 1, 2]);
  });

  test("is refused with all that is wrong in it", () => {
    const wrong = {
      vlan: 9999,
      mtu: -1,
      ofport_request: "7",
      trunk: [{ minID: 12, maxID: 10 }, { minID: 3 }, { id: 4096 }, {}],
    };
    expect(refusal("ovs", { bridge: "br1", ...wrong })).toBe(
      "cni.bad-config: vlan is 9999, and should be an integer from 0 to 4095; " +
        "trunk[0].minID 12 is above maxID 10; trunk[1].minID and maxID go together; " +
        "trunk[2].id is 4096, and should be an integer from 0 to 4095; trunk[3].id is missing; " +
        "mtu is -1, and should be an integer from 0 to 65535; " +
        'ofport_request is "7", and should be an integer from 0 to 65279',
    );
    expect(refusal("ovs", {})).toBe("cni.bad-config: bridge is missing");
    expect(refusal("ovs", { bridge: "../x" })).toContain("cannot be the name of a bridge");
    expect(refusal("ovs", { bridge: "br1", vlan: 5, VLAN: 6 })).toBe(
      "cni.bad-config: VLAN is given twice, as vlan and VLAN",
    );
  });

  test("says what is not served", () => {
    const runtimeConfig = { CNIDeviceInfoFile: "/nowhere" };
    expect(refusal("ovs", { deviceID: "1" })).toStartWith('cni.bad-config: deviceID "1" is not a PCI address');
    expect(refusal("ovs", { deviceID: "0000:01:00.1", runtimeConfig })).toContain("/nowhere cannot be read");
    expect(refusal("ovs", { bridge: "br1", interface_type: "dpdkvhostuser" })).toStartWith(
      "cni.unsupported: interface_type",
    );
  });

  test("has fields that its plugin ignores noted, not refused", () => {
    ovs({ capabilities: { mac: true }, kind: "x" });
    expect(notes).toEqual(["kind means nothing to the plugin ovs, and is ignored"]);
  });

  test("reads keys whatever their case", () => {
    expect(ovs({ VLAN: 10, MTU: 1400, OfPort_Request: 5 })).toMatchObject({
      vlan: { tag: 10 },
      mtu: 1400,
      ofportRequest: 5,
    });
  });

  test("takes the MAC from runtimeConfig before args before CNI_ARGS", () => {
    const [first, second, third] = ["02:00:00:00:00:01", "02:00:00:00:00:02", "02:00:00:00:00:03"];
    const all = { runtimeConfig: { MAC: first }, args: { cni: { Mac: second } } };
    const args = `IgnoreUnknown=1;MAC=${third};OvnPort=p1;K8S_POD_UID=u1;X=1`;
    expect(ovs(all, args)).toMatchObject({ mac: first, ifaceId: "p1", podUid: "u1" });
    expect(ovs({ args: all.args }, args).mac as string).toBe(second);
    expect(ovs({}, args).mac as string).toBe(third);
    expect(refusal("ovs", { bridge: "br1", runtimeConfig: { mac: "01:00:00:00:00:01" } })).toContain("multicast MAC");
  });

  test("needs no bridge for a port of OVN", () => {
    expect(read("ovs", { args: { cni: { ovnPort: "p1" } } }).attachment).toMatchObject({
      bridge: "br-int",
      ifaceId: "p1",
    });
  });

  test("refuses CNI_ARGS that nothing is known of, unless told to ignore them", () => {
    expect(refusal("ovs", { bridge: "br1" }, "COLOUR=red")).toBe(
      "cni.bad-environment: CNI_ARGS: nothing is known of colour",
    );
    expect(refusal("ovs", { bridge: "br1" }, "nonsense")).toBe(
      'cni.bad-environment: CNI_ARGS: "nonsense" is not KEY=VALUE',
    );
    expect(ovs({}, "COLOUR=red;IgnoreUnknown=true").bridge).toBe("br1");
  });

  test("takes what it leaves out from its file of defaults", () => {
    const folder = mkdtempSync("/tmp/tcni-");
    try {
      writeFileSync(`${folder}/ovs.conf`, JSON.stringify({ socket_file: "unix:/run/x.sock", mtu: 1400 }));
      const configuration_path = `${folder}/ovs.conf`;
      expect(ovs({ configuration_path })).toMatchObject({ switch: { remote: "unix:/run/x.sock" }, mtu: 1400 });
      expect(ovs({ configuration_path, mtu: 1300 }).mtu).toBe(1300);
      writeFileSync(`${folder}/ovs.conf`, "[]");
      expect(refusal("ovs", { bridge: "b", configuration_path })).toContain("is no JSON object");
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe("a configuration of the userspace CNI", () => {
  const host = { engine: "ovs-dpdk", iftype: "vhostuser", netType: "bridge" };
  const container = { engine: "ovs-dpdk", iftype: "vhostuser", netType: "interface" };

  test("is a vhost-user port, whose socket the container makes, on br0", () => {
    const conf = {
      host: { ...host, vhost: { mode: "client", group: "hugetlbfs" } },
      container,
      sharedDir: "/run/s",
      LogFile: "/x",
    };
    expect(read("userspace", conf).attachment).toMatchObject({
      bridge: "br0",
      createBridge: true,
      way: { kind: "vhostuser", mode: "client", folder: "/run/s", name: undefined, group: "hugetlbfs" },
    });
    expect(notes).toEqual([]);
  });

  test("has its vlanId honoured", () => {
    const attachment = read("userspace", { host: { ...host, bridge: { bridgeName: "br4", vlanId: 100 } } }).attachment;
    expect(attachment).toMatchObject({ bridge: "br4", vlan: { tag: 100, mode: "access" } });
  });

  test("is refused for VPP, memif and an interface of the host before anything is made", () => {
    expect(refusal("userspace", { host: { engine: "vpp" } })).toStartWith("cni.unsupported: host.engine vpp");
    expect(refusal("userspace", { host: { iftype: "memif" } })).toStartWith("cni.unsupported: host.iftype memif");
    expect(refusal("userspace", { host: { netType: "interface" } })).toStartWith(
      "cni.unsupported: host.netType interface",
    );
    expect(refusal("userspace", {})).toBe("cni.bad-config: host is missing: what the host's side shall be");
  });

  test("cannot have its socket outside the shared folder", () => {
    expect(refusal("userspace", { host: { ...host, vhost: { socketfile: "../../etc/x" } } })).toContain(
      "is not the name of a file",
    );
  });
});

describe("a configuration of switchyard", () => {
  test("works on the host's own switch, a yard's, or one at a socket", () => {
    const at = (more: JsonRecord) => read("switchyard", { bridge: "br1", ...more }).attachment.switch;
    expect(at({})).toEqual({ yard: "system" });
    expect(at({ yard: "main" })).toEqual({ yard: "main" });
    expect(at({ socket_file: "/run/x.sock" })).toEqual({ remote: "unix:/run/x.sock" });
    expect(refusal("switchyard", { bridge: "b", yard: "main", socket_file: "/x" })).toContain("do not go together");
  });

  test("has no field that means nothing", () => {
    expect(refusal("switchyard", { bridge: "br1", vlna: 5 })).toBe(
      "cni.unsupported: vlna is no field of a configuration of type switchyard",
    );
  });

  test("is told of the version, the name and JSON that are wrong", () => {
    expect(refusal("switchyard", { cniVersion: "2.0.0" })).toBe(
      'cni.incompatible-version: cniVersion "2.0.0" is not known',
    );
    expect(refusal("switchyard", { name: "", bridge: "b" })).toContain("name is missing");
    expect(refusal("switchyard", { name: "a b", bridge: "b" })).toContain('name "a b" is not letters');
    expect(refusal("switchyard", { bridge: "b", ipam: { type: "../x" } })).toContain("cannot be the name of a plugin");
    expect(() => readConfig("{", "ovs", { args: "" }, { note: () => {}, forgiving: false })).toThrow("not JSON");
  });

  test("that was refused can be taken away all the same", () => {
    const { attachment } = read("switchyard", { bridge: "br1", vlan: 9999, colour: 1 }, "X=1", true);
    expect(attachment.bridge).toBe("br1");
    expect(notes).toHaveLength(2);
  });
});

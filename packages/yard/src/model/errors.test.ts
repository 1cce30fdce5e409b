import { describe, expect, test } from "bun:test";
import { YardErrors } from "@switchyard/base";
import { parseLab } from "./parse.ts";

/** The errors of a bad file as `line:column code`. */
function errors(
  text: string,
): readonly { at: string; code: string; message: string; hint: string | undefined; excerpt: string | undefined }[] {
  try {
    parseLab(text, { file: "bad.yard.yaml", environment: {} });
  } catch (thrown) {
    if (!(thrown instanceof YardErrors)) throw thrown;
    return thrown.errors.map(({ where = "", code, message, hint, excerpt }) => ({
      at: where.replace("bad.yard.yaml:", ""),
      code,
      message,
      hint,
      excerpt,
    }));
  }
  throw new Error("the file was taken");
}

function told(text: string): string[] {
  return errors(text).map(({ at, code }) => `${at} ${code}`);
}

const base = (nodes: string, more = "") => `name: a
networks: { lan: { cidr: 10.0.0.0/24, gateway: 10.0.0.254 }, raw: }
nodes:
  ${nodes}
${more}`;

describe("a bad lab file", () => {
  test("is told all its errors at once, in the file's order", () => {
    expect(
      told(`nmae: office
networks:
  lan01:
  lan 3: {}
nodes:
  web: { kind: contaner }
  web2: { kind: container, imge: busybox, nics: [lan1, { network: lan01, vlan: 5000 }], memory: 64 }
links: [{ endpoints: ["web:eth1", "web3:eth2"] }]
checks: [{ ping: { from: web2, to: wbe2 }, expect: fails }]`),
    ).toEqual([
      "1:1 lab.unknown-key",
      "4:3 network.bad-name",
      "6:3 node.image-missing",
      "6:16 lab.unknown-value",
      "7:28 lab.unknown-key",
      "7:50 nic.network-unknown",
      "7:80 lab.out-of-range",
      "7:97 memory.too-small",
      "8:35 link.node-unknown",
      "9:36 check.node-unknown",
      "9:52 lab.unknown-value",
    ]);
  });

  test("is told of an MTU that IPv6 cannot do with, at a network, a nic, or a nic by its network", () => {
    expect(
      told(`name: a
networks: { six: { cidr: "fd00::/64", mtu: 1279 }, wide: { cidr: "fd01::/64" }, small: { cidr: 10.0.0.0/24, mtu: 600 } }
nodes:
  a: { kind: netns, nics: [six, { network: wide, mtu: 1000 }, small, { network: small, ip: ["fd02::1/64"] }] }
  b: { kind: netns, nics: [{ network: small, mtu: 500 }, { network: wide, mtu: 1280 }] }`),
    ).toEqual(["2:44 lab.out-of-range", "4:55 lab.out-of-range", "4:70 lab.out-of-range"]);
  });

  test("is told them all even where a key that was put right lacks something", () => {
    expect(
      told(
        base(
          "a: { kind: netns, nics: [{ network: lan, ip: 10.0.0.1, mac: zz }, lna] }",
          "checks: [{ tpc: {} }, { ping: { from: b, to: a } }]",
        ),
      ),
    ).toEqual([
      "4:63 address.bad-mac",
      "4:69 nic.network-unknown",
      "5:10 lab.missing-key",
      "5:12 lab.unknown-key",
      "5:39 check.node-unknown",
    ]);
  });

  test("has the caret under the name that a lab cannot have", () => {
    expect(told('name: "Bad Name"')).toEqual(["1:7 lab.bad-name"]);
  });

  test("shows the line with a caret under what is wrong, and what was most likely meant", () => {
    const [error] = errors(base("web: { kind: netns, nics: [lna] }"));
    expect(error?.excerpt).toBe(
      ["4 |   web: { kind: netns, nics: [lna] }", "  |                              ^^^"].join("\n"),
    );
    expect(error?.hint).toBe('did you mean "lan"?');
  });

  test("shows the middle of a long line, and counts characters, not bytes", () => {
    const [error] = errors(
      `name: a\nnodes: { ${Array.from({ length: 60 }, (_, i) => `n${i}: { kind: netns, env: { Ä: "ö" } }`).join(", ")} }`,
    );
    expect(error?.at).toBe("2:36");
    const [line, caret] = error?.excerpt?.split("\n") ?? [];
    expect(line?.length).toBeLessThan(110);
    expect(line?.charAt(caret?.indexOf("^") ?? -1)).toBe("Ä");
  });

  test("cannot send control characters to the terminal", () => {
    for (const { message, excerpt } of errors('name: "a\\e[31m"\nnodes: { "\\u009b": { kind: netns } } # \u001b[31m'))
      expect(`${message}${excerpt}`).not.toMatch(/(?!\n)\p{Cc}/u);
  });

  test("is refused quickly when its aliases multiply, its lists nest or it is too large", () => {
    const bomb = `a: &a [1,1,1,1,1,1,1,1,1,1]\n${[..."bcdefghi"]
      .map(
        (c) =>
          `${c}: &${c} [${Array(10)
            .fill(`*${String.fromCharCode(c.charCodeAt(0) - 1)}`)
            .join(",")}]`,
      )
      .join("\n")}`;
    const before = process.cpuUsage();
    expect(told(bomb).some((error) => error.endsWith("lab.too-large"))).toBe(true);
    for (const text of ["[".repeat(1e6), "{a: ".repeat(1e6), "- ".repeat(1e6), "? ".repeat(1e6)])
      expect(told(text).map((error) => error.split(" ")[1])).toEqual(["lab.too-deep"]);
    expect(told(Array.from({ length: 200 }, (_, i) => `${" ".repeat(i)}a:\n`).join(""))[0]).toEndWith("lab.too-deep");
    expect(told(`# ${"x".repeat(5e6)}`)).toEqual(["1:1 lab.too-large"]);
    expect(process.cpuUsage(before).user / 1000).toBeLessThan(3000);
  }, 20_000);

  test("tells at most a hundred errors, and how many more there are", () => {
    const all = errors(
      `name: a\nnodes: { ${Array.from({ length: 300 }, (_, i) => `n${i}: { kind: netns, nics: [x] }`).join(", ")} }`,
    );
    expect(all).toHaveLength(101);
    expect(all.at(-1)).toMatchObject({ code: "lab.more-errors", message: "and 200 more errors, which are not shown" });
  });

  test("does not blame those who refer to an entry that is itself wrong", () => {
    expect(
      told(`name: a
networks: { lan: { cidr: 5 } }
nodes:
  a: { kind: netns, count: x, nics: [lan] }
  b: { kind: netns, nics: [{ network: lan, slot: 3, gateway: 10.0.0.1 }] }
  c: { kind: container, image: 7 }
checks: [{ ping: { from: a-1, to: b } }]`),
    ).toEqual(["2:26 lab.wrong-type", "4:28 lab.wrong-type", "6:32 lab.wrong-type"]);
  });
});

/** What each mistake is told as: its line and column in the file, and its code. */
const mistakes: Record<string, [text: string, ...told: string[]]> = {
  "an empty file": ["# nothing\n", "1:1 lab.empty"],
  "a list in place of a lab": ["- a", "1:1 lab.wrong-type"],
  "a tab as indentation": ["name: a\nnodes:\n\ta: {}", "3:1 lab.bad-yaml"],
  "a second document": ["name: a\n---\nname: b", "2:1 lab.bad-yaml"],
  "YAML 1.1": ["%YAML 1.1\n---\nname: a", "1:1 lab.bad-yaml"],
  "an unknown alias": ["name: *x", "1:7 lab.bad-yaml"],
  "an unknown tag": ["name: !secret a", "1:7 lab.bad-yaml"],
  "a key twice": [base("a: { kind: netns }\n  a: { kind: netns }"), "5:3 lab.duplicate-key"],
  "a merge key": [base("a: { <<: { kind: netns }, kind: netns }"), "4:8 lab.merge-key"],
  "the key __proto__": ["name: a\n__proto__: { x: 1 }", "2:1 lab.unknown-key"],
  "the null character": ['name: a\nnodes: { a: { kind: netns, env: { A: "\\0" } } }', "2:38 lab.null-character"],
  "a lab without a name": ["nodes: {}", "1:1 lab.missing-key"],
  "a number as name": ["name: 7", "1:7 lab.wrong-type"],
  "a shell's characters in the lab's name": ['name: "a;b"', "1:7 lab.bad-name"],
  "a shell's characters in a node's name": [base('"a$(b)": { kind: netns }'), "4:3 node.bad-name"],
  "a node's name that is too long": [base(`${"n".repeat(64)}: { kind: netns }`), "4:3 node.bad-name"],
  "a name that count makes too long": [base(`${"n".repeat(62)}: { kind: netns, count: 2 }`), "4:3 node.bad-name"],
  "a node called localhost": [base("localhost: { kind: netns }"), "4:3 node.bad-name"],
  "a node without kind": [base("a: { nics: [lan] }"), "4:3 lab.missing-key"],
  "a name that a count has made": [
    base("a-1: { kind: netns }\n  a: { kind: netns, count: 2 }"),
    "5:3 node.duplicate-name",
  ],
  "a count of nothing": [base("a: { kind: netns, count: 0 }"), "4:28 lab.out-of-range"],
  "too many nodes": [
    `name: a\nnodes: { ${[..."abcdefg"].map((n) => `${n}: { kind: netns, count: 10000 }`).join(", ")} }`,
    "2:214 lab.too-many-nodes",
  ],
  "a container's key at a netns node": [base("a: { kind: netns, image: x }"), "4:21 lab.unknown-key"],
  "a container without image": [base("a: { kind: container }"), "4:3 node.image-missing"],
  "a container with image and rootfs": [base("a: { kind: container, image: x, rootfs: y }"), "4:35 node.two-roots"],
  "nics beside the host's network": [
    base("a: { kind: container, runtime: oci, image: x, host_network: true, nics: [raw] }"),
    "4:49 node.host-network",
  ],
  "the host's network with Docker": [
    base("a: { kind: container, image: x, host_network: true }"),
    "4:35 node.host-network",
  ],
  "an image that is an option": [base("a: { kind: container, image: --help }"), "4:32 image.bad-name"],
  "an unknown network": [base("a: { kind: netns, nics: [lam] }"), "4:28 nic.network-unknown"],
  "two nics with one address": [
    base(
      "a: { kind: netns, nics: [{ network: raw, ip: 10.1.0.1/24 }] }\n  b: { kind: netns, nics: [{ network: raw, ip: [10.1.0.1/16] }] }",
    ),
    "5:49 nic.duplicate-ip",
  ],
  "a nic with the gateway's address": [
    base("a: { kind: netns, nics: [{ network: lan, ip: 10.0.0.254 }] }"),
    "4:48 nic.duplicate-ip",
  ],
  "two nics with one MAC": [
    base(
      'a: { kind: netns, nics: [{ network: raw, mac: "02:00:00:00:00:0a" }, { network: raw, mac: "02:00:00:00:00:0A" }] }',
    ),
    "4:93 nic.duplicate-mac",
  ],
  "two nics with one name": [
    base("a: { kind: netns, nics: [lan, { network: raw, name: eth0 }] }"),
    "4:55 nic.duplicate-name",
  ],
  "a nic's name that is too long": [
    base("a: { kind: netns, nics: [{ network: raw, name: abcdefghijklmnop }] }"),
    "4:50 nic.bad-name",
  ],
  "a nic called lo": [base("a: { kind: netns, nics: [{ network: raw, name: lo }] }"), "4:50 nic.bad-name"],
  "two spellings of one thing that differ": [
    base(
      'a: { kind: netns, nics: [{ network: raw, mac: "02:00:00:00:00:0a", hwaddr: "02:00:00:00:00:0b", ip: 10.1.0.9/24, config: { gw: 10.1.0.1, gateway: 10.1.0.2 } }] }',
    ),
    "4:70 nic.two-spellings",
    "4:126 nic.two-spellings",
  ],
  "an address of the other spelling that is none": [
    base("a: { kind: netns, nics: [{ network: raw, config: { cidr: 10.0.0.300/24 } }] }"),
    "4:60 address.bad-ip",
  ],
  "a key that config has not": [
    base("a: { kind: netns, nics: [{ network: raw, ip: 10.0.0.2/24, config: { gatway: 10.0.0.1 } }] }"),
    "4:71 lab.unknown-key",
  ],
  "an address beside dhcp": [
    base("a: { kind: netns, nics: [{ network: lan, dhcp: true, config: { cidr: 10.0.0.5/24 } }] }"),
    "4:66 nic.dhcp-with-address",
  ],
  "a slot beside dhcp": [
    base("a: { kind: netns, nics: [{ network: lan, slot: 5, dhcp: true }] }"),
    "4:44 nic.dhcp-with-address",
  ],
  "a nic on nothing": [base("a: { kind: netns, nics: [{ name: x }] }"), "4:28 nic.unattached"],
  "a multicast MAC": [
    base('a: { kind: netns, nics: [{ network: raw, mac: "01:00:00:00:00:00" }] }'),
    "4:49 address.bad-mac",
  ],
  "an address that is none": [
    base("a: { kind: netns, nics: [{ network: raw, ip: 10.0.0.256/24, gateway: 10.0.0.1 }] }"),
    "4:48 address.bad-ip",
  ],
  "an address without prefix length": [
    base("a: { kind: netns, nics: [{ network: raw, ip: 10.0.0.1 }] }"),
    "4:48 nic.prefix-missing",
  ],
  "an address outside the network": [
    base("a: { kind: netns, nics: [{ network: lan, ip: 10.0.1.1/24 }] }"),
    "4:48 nic.ip-outside-network",
  ],
  "the broadcast address": [
    base("a: { kind: netns, nics: [{ network: lan, ip: 10.0.0.255 }] }"),
    "4:48 nic.ip-not-host",
  ],
  "a slot outside the network": [
    base("a: { kind: netns, nics: [{ network: lan, slot: 255 }] }"),
    "4:50 nic.slot-outside",
  ],
  "a slot that count leads outside": [
    base("a: { kind: netns, count: 5, nics: [{ network: lan, slot: 251 }] }"),
    "4:60 nic.slot-taken",
    "4:60 nic.slot-outside",
  ],
  "a slot twice": [
    base("a: { kind: netns, nics: [{ network: lan, slot: 5 }, { network: lan, slot: 5 }] }"),
    "4:77 nic.slot-taken",
  ],
  "a slot whose address is taken": [
    base("a: { kind: netns, nics: [{ network: lan, ip: 10.0.0.5 }, { network: lan, slot: 5 }] }"),
    "4:82 nic.slot-taken",
  ],
  "a slot without cidr": [base("a: { kind: netns, nics: [{ network: raw, slot: 5 }] }"), "4:50 nic.slot-without-cidr"],
  "an address for several nodes": [
    base("a: { kind: netns, count: 2, nics: [{ network: lan, ip: 10.0.0.5 }] }"),
    "4:58 nic.counted-ip",
  ],
  "a MAC for several nodes": [
    base('a: { kind: netns, count: 2, nics: [{ network: lan, mac: "02:00:00:00:00:01" }] }'),
    "4:59 nic.counted-mac",
  ],
  "a gateway out of reach": [
    base("a: { kind: netns, nics: [{ network: lan, gateway: 10.9.0.1 }] }"),
    "4:53 nic.gateway-unreachable",
  ],
  "a VLAN out of range": [base("a: { kind: netns, nics: [{ network: lan, vlan: 4095 }] }"), "4:50 lab.out-of-range"],
  "a VLAN on a wire": [
    base(
      "a: { kind: netns, nics: [{ name: w, vlan: 5 }] }\n  b: { kind: netns }",
      'links: [{ endpoints: ["a:w", "b:w"] }]',
    ),
    "4:39 nic.vlan-without-network",
  ],
  "an MTU out of range": [base("a: { kind: netns, nics: [{ network: lan, mtu: 67 }] }"), "4:49 lab.out-of-range"],
  "more nics than addresses": [
    "name: a\nnetworks: { lan: { cidr: 10.0.0.0/30, gateway: 10.0.0.1 } }\nnodes: { a: { kind: netns, count: 2, nics: [lan] } }",
    "3:45 network.full",
  ],
  "a gateway outside the cidr": [
    "name: a\nnetworks: { lan: { cidr: 10.0.0.0/24, gateway: 10.0.1.1 } }",
    "2:48 network.gateway-outside",
  ],
  "a gateway without cidr": ["name: a\nnetworks: { lan: { gateway: 10.0.1.1 } }", "2:29 network.gateway-outside"],
  "a host's address as cidr": ["name: a\nnetworks: { lan: { cidr: 10.0.0.1/24 } }", "2:26 network.host-bits"],
  "two subnets of one family": [
    "name: a\nnetworks: { lan: { cidr: [10.0.0.0/24, 10.0.1.0/24] } }",
    "2:20 network.two-subnets",
  ],
  "networks of the host that overlap": [
    "name: a\nnetworks:\n  a: { cidr: 10.0.0.0/16, gateway: 10.0.0.1 }\n  b: { cidr: 10.0.7.0/24, gateway: 10.0.7.1 }\n  c: { cidr: 10.0.9.0/24, gateway: 10.0.9.1 }",
    "4:14 network.overlap",
    "5:14 network.overlap",
  ],
  "a port published twice": [
    base('a: { kind: netns, ports: ["127.0.0.1:80:80"] }\n  b: { kind: netns, ports: ["80:8080"] }'),
    "5:29 port.taken",
  ],
  "a port that is none": [
    base('a: { kind: netns, ports: ["80", "80:0", "80:80/sctp"] }'),
    "4:29 port.bad-forward",
    "4:35 port.bad-forward",
    "4:43 port.bad-forward",
  ],
  "a port of several nodes": [base('a: { kind: netns, count: 2, ports: ["80:80"] }'), "4:31 port.counted"],
  "a default route without next hop": [
    base("a: { kind: netns, nics: [lan], routes: [{ to: default }] }"),
    "4:43 route.via-missing",
  ],
  "a next hop out of reach": [
    base("a: { kind: netns, nics: [lan], routes: [{ to: 10.5.0.0/16, via: 10.4.0.1 }] }"),
    "4:67 route.via-unreachable",
  ],
  "a next hop of the other IP": [
    base('a: { kind: netns, nics: [lan], routes: [{ to: 10.5.0.0/16, via: "fe80::1" }] }'),
    "4:67 route.mixed-families",
  ],
  "a route by an unknown nic": [
    base("a: { kind: netns, nics: [lan], routes: [{ to: 10.5.0.0/16, dev: eth1 }] }"),
    "4:67 route.nic-unknown",
  ],
  "a link to an unknown node": [
    base("a: { kind: netns }", 'links: [{ endpoints: ["a:x", "b:x"] }]'),
    "5:30 link.node-unknown",
  ],
  "a link to a counted node": [
    base("a: { kind: netns, count: 2 }", 'links: [{ endpoints: ["a:x", "a-2:x"] }]'),
    "5:23 link.node-unknown",
  ],
  "a link with one end": [base("a: { kind: netns }", 'links: [{ endpoints: ["a:x"] }]'), "5:11 lab.out-of-range"],
  "a link's end without nic": [
    base("a: { kind: netns }", 'links: [{ endpoints: ["a", "a:x"] }]'),
    "5:23 link.bad-endpoint",
  ],
  "a link to itself": [base("a: { kind: netns }", 'links: [{ endpoints: ["a:x", "a:x"] }]'), "5:30 link.to-itself"],
  "an end used twice": [
    base(
      "a: { kind: netns }\n  b: { kind: netns }",
      'links: [{ endpoints: ["a:x", "b:x"] }, { endpoints: ["b:y", "a:x"] }]',
    ),
    "6:61 link.endpoint-taken",
  ],
  "an end that is on a network": [
    base("a: { kind: netns, nics: [lan] }\n  b: { kind: netns }", 'links: [{ endpoints: ["a:eth0", "b:x"] }]'),
    "6:23 link.nic-on-network",
  ],
  "a check of an unknown node": [
    base("a: { kind: netns }", "checks: [{ ping: { from: a, to: b } }]"),
    "5:33 check.node-unknown",
  ],
  "a check of nothing": [base("a: { kind: netns }", "checks: [{ name: x }]"), "5:10 check.not-one"],
  "a parameter of the whole host": [
    base("a: { kind: netns, sysctls: { kernel.panic: 1 } }"),
    "4:32 sysctl.not-namespaced",
  ],
  "a parameter that climbs out of /proc/sys": [
    base('a: { kind: netns, sysctls: { "net.ipv4.../../x": 1 } }'),
    "4:32 sysctl.bad-name",
  ],
  "a parameter that is on": [
    base("a: { kind: netns, sysctls: { net.ipv4.ip_forward: true } }"),
    "4:53 sysctl.bad-value",
  ],
  "a variable with a bad name": [base('a: { kind: netns, env: { "A=B": 1 } }'), "4:28 env.bad-name"],
  "a pipe in a command": [base('a: { kind: netns, exec: ["echo a | cat"] }'), "4:28 command.shell-syntax"],
  "an open quote in a command": [base(`a: { kind: netns, exec: ["echo 'a"] }`), "4:28 command.open-quote"],
  "an empty command": [base('a: { kind: netns, exec: [" "] }'), "4:28 command.empty"],
  "a bind that is none": [
    base('a: { kind: container, image: x, binds: ["www", "a:b", "a:/b:rx", "~/a:/b"] }'),
    "4:43 bind.bad-mount",
    "4:50 bind.bad-mount",
    "4:57 bind.bad-mount",
    "4:68 bind.bad-mount",
  ],
  "a device that is none": [base("a: { kind: container, image: x, devices: [/etc/passwd] }"), "4:45 device.bad-path"],
  "an unknown capability": [base("a: { kind: container, image: x, cap_add: [NET_ADMN] }"), "4:45 capability.unknown"],
  "memory that is none": [base("a: { kind: container, image: x, memory: lots }"), "4:43 memory.bad-size"],
  "no processors": [base("a: { kind: container, image: x, cpus: 0 }"), "4:41 lab.out-of-range"],
  "a user that is none": [base('a: { kind: container, image: x, user: "a b" }'), "4:41 user.bad-name"],
  "a host name that is none": [base("a: { kind: container, image: x, hostname: a_b }"), "4:45 hostname.bad-name"],
};

describe("a lab file is refused with the place and the code for", () => {
  for (const [what, [text, ...expected]] of Object.entries(mistakes))
    test(what, () => expect(told(text)).toEqual(expected));
});

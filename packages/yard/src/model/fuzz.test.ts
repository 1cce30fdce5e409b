import { expect, test } from "bun:test";
import { YardErrors } from "@switchyard/base";
import fc from "fast-check";
import { stringify } from "yaml";
import { parseLab } from "./parse.ts";
import type { Lab } from "./types.ts";

const source = { file: "/labs/x.yard.yaml", environment: {} };

/** The lab, or its errors; anything else that is thrown fails the test. */
function read(text: string): Lab | YardErrors {
  try {
    return parseLab(text, source).lab;
  } catch (thrown) {
    if (!(thrown instanceof YardErrors)) throw thrown;
    for (const error of thrown.errors)
      if (error.code !== "lab.more-errors") {
        expect(error.where).toMatch(/^\/labs\/x\.yard\.yaml:[1-9]\d*:[1-9]\d*$/);
        expect(error.excerpt).toMatch(/\^/);
      }
    return thrown;
  }
}

const names = fc.constantFrom(
  "a",
  "b",
  "a-1",
  "lan",
  "wan",
  "eth0",
  "__proto__",
  "constructor",
  "toString",
  "",
  "7",
  "x y",
);
const words = fc.constantFrom(
  "netns",
  "container",
  "docker",
  "oci",
  "none",
  "default",
  "10.0.0.1",
  "10.0.0.1/24",
  "10.0.0.0/24",
  "fd00::/64",
  "fd00::1",
  "fe80::1",
  "a:eth0",
  "b:eth1",
  "8080:80",
  "64M",
  "echo 'x y'",
  "busybox",
  "./a:/b:ro",
  "02:00:00:00:00:01",
  "lan",
  "wan",
  "a",
  "b",
  "pass",
  "fail",
  "~",
  "0x1f",
);
const keys = fc.constantFrom(
  "name",
  "networks",
  "nodes",
  "links",
  "checks",
  "defaults",
  "kind",
  "count",
  "nics",
  "network",
  "ip",
  "mac",
  "slot",
  "gateway",
  "dns",
  "mtu",
  "vlan",
  "trunks",
  "routes",
  "to",
  "via",
  "dev",
  "metric",
  "spy",
  "dhcp",
  "monitor",
  "hwaddr",
  "config",
  "gw",
  "cidr",
  "type",
  "endpoints",
  "ping",
  "tcp",
  "exec",
  "from",
  "port",
  "node",
  "command",
  "expect",
  "timeout",
  "image",
  "rootfs",
  "runtime",
  "env",
  "sysctls",
  "ports",
  "binds",
  "cpus",
  "memory",
  "container",
  "netns",
  "nic",
  "user",
  "cap_add",
  "devices",
  "hostname",
);

/** Structures that look like labs, more or less: the schema's keys and plausible values in any arrangement. */
const { tree } = fc.letrec((tie) => ({
  tree: fc.oneof(
    { maxDepth: 6, depthSize: "medium" },
    words,
    fc.oneof(fc.integer(), fc.double(), fc.boolean(), fc.constant(null), fc.string()),
    fc.array(tie("tree"), { maxLength: 4 }),
    fc.dictionary(fc.oneof(keys, names, fc.string()), tie("tree"), { maxKeys: 6 }),
  ),
}));

const value = fc.oneof(tree, words, fc.array(words, { maxLength: 3 }), fc.integer({ min: -1, max: 70000 }));
const some = (...of: string[]) =>
  fc.dictionary(fc.oneof({ weight: 9, arbitrary: fc.constantFrom(...of) }, { weight: 1, arbitrary: keys }), value, {
    maxKeys: 5,
  });
const nic = fc.oneof(
  names,
  some("network", "ip", "mac", "slot", "gateway", "dns", "mtu", "vlan", "trunks", "routes", "name"),
);
const labLike = fc.record(
  {
    name: fc.oneof({ weight: 9, arbitrary: fc.constant("x") }, { weight: 1, arbitrary: value }),
    networks: fc.dictionary(
      names,
      fc.oneof(fc.constant({}), fc.constant({ cidr: "10.0.0.0/24" }), some("cidr", "gateway", "mtu", "type")),
    ),
    nodes: fc.dictionary(
      names,
      fc.oneof(
        fc.record(
          {
            kind: fc.constantFrom("netns", "container"),
            image: fc.constant("x"),
            count: fc.integer({ min: 0, max: 4 }),
            nics: fc.array(nic, { maxLength: 4 }),
            routes: fc.array(some("to", "via", "dev")),
          },
          { requiredKeys: ["kind"] },
        ),
        some("kind", "image", "rootfs", "nics", "exec", "ports", "env", "sysctls", "binds", "memory", "count"),
      ),
    ),
    defaults: value,
    links: fc.array(fc.record({ endpoints: fc.array(words, { minLength: 2, maxLength: 2 }) })),
    checks: fc.array(some("ping", "tcp", "exec", "expect", "name", "timeout")),
  },
  { requiredKeys: ["name"] },
);

test("no text makes the reader throw anything but located errors", () => {
  const fragments = fc
    .array(
      fc.oneof(
        keys,
        words,
        names,
        fc.constantFrom(
          ": ",
          "\n",
          "\n  ",
          "- ",
          "[",
          "]",
          "{",
          "}",
          ", ",
          "&a ",
          "*a",
          "? ",
          "!t ",
          "|\n",
          ">\n",
          "'",
          '"',
          "#",
          "\t",
          "---\n",
          "%YAML 1.2\n",
          "<<: ",
          "\r\n",
          "\u2028",
          "\ud800",
        ),
      ),
      { maxLength: 40 },
    )
    .map((parts) => parts.join(""));
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit: "binary" }), fragments), (text) => void read(text)),
    { numRuns: 1500 },
  );
}, 60_000);

test("no structure makes the reader throw anything but located errors", () => {
  fc.assert(
    fc.property(fc.oneof(tree, labLike), (structure) => void read(stringify(structure))),
    { numRuns: 1000 },
  );
}, 60_000);

/** A lab that is right, and what should be read from it. */
const validLab = fc
  .record({
    networks: fc.uniqueArray(fc.stringMatching(/^[a-z][a-z0-9_.-]{0,20}$/), { minLength: 1, maxLength: 5 }),
    nodes: fc.uniqueArray(
      fc.record({
        name: fc.stringMatching(/^[A-Z][A-Za-z_.]{0,20}$/),
        count: fc.option(fc.integer({ min: 1, max: 5 }), { nil: undefined }),
        nics: fc.array(fc.nat(), { maxLength: 4 }),
        container: fc.boolean(),
        env: fc.dictionary(
          fc.stringMatching(/^[A-Z_]{1,8}$/),
          fc.string().filter((text) => !text.includes("\0")),
        ),
      }),
      { selector: ({ name }) => name.toLowerCase(), maxLength: 8 },
    ),
  })
  .map(({ networks, nodes }) => ({
    name: "x",
    networks: Object.fromEntries(networks.map((name, index) => [name, { cidr: `10.${index}.0.0/16` }])),
    nodes: nodes
      .filter(({ name }) => name !== "Localhost")
      .map((node) => ({ ...node, nics: node.nics.map((n) => networks[n % networks.length] ?? "") })),
  }));

test("a lab that is right is read as it was meant", () => {
  fc.assert(
    fc.property(validLab, fc.boolean(), ({ name, networks, nodes }, flow) => {
      const file = {
        name,
        networks,
        nodes: Object.fromEntries(
          nodes.map(({ name: own, count, nics, container, env }) => [
            own,
            {
              kind: container ? "container" : "netns",
              ...(container ? { image: "busybox" } : {}),
              ...(count === undefined ? {} : { count }),
              nics,
              env,
            },
          ]),
        ),
      };
      const lab = read(stringify(file, { collectionStyle: flow ? "flow" : "block" }));
      if (lab instanceof YardErrors) throw lab;
      expect(lab.networks.map((network) => network.name)).toEqual(Object.keys(networks));
      const expected = nodes.flatMap(({ name: own, count }) =>
        count === undefined ? [own] : Array.from({ length: count }, (_, i) => `${own}-${i + 1}`),
      );
      expect(lab.nodes.map((node) => node.name)).toEqual(expected);
      for (const { name: own, count, nics, container, env } of nodes) {
        const node = lab.nodes.find((one) => one.name === (count === undefined ? own : `${own}-1`));
        expect(node?.kind).toBe(container ? "container" : "netns");
        expect(node?.nics.map((one) => one.network)).toEqual(nics);
        expect(node?.nics.map((one) => one.name)).toEqual(nics.map((_, i) => `eth${i}`));
        expect({ ...node?.env }).toEqual(env);
      }
    }),
    { numRuns: 200 },
  );
}, 60_000);

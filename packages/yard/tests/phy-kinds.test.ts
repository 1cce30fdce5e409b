import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { run, tryRun } from "@switchyard/base";
import { knowsLinkKind } from "@switchyard/linux";
import { expectSameMachine, type Machine, patience, requires, snapshotMachine } from "@switchyard/testing";
import { LiveYard } from "./live.ts";
import { expectBulkTo } from "./tcp.ts";

setDefaultTimeout(patience(60_000));

const NAME = `tphk${process.pid}`;
const ours = { ours: new RegExp(NAME) };
/** Two cards of the host's, whose cables lead to one bridge in the namespace of the world. */
const SHORT = `tphk${process.pid % 100_000}`;
const [FIRST, SECOND] = [`${SHORT}a`, `${SHORT}b`] as const;
const WORLD = `${NAME}-world`;

/** What a host may have, how a lab can take it, how not, and in which network of the world it then is. */
interface Device {
  readonly kind: "veth" | "vlan" | "bond";
  readonly nic: string;
  /** By ip(8). */
  readonly made: readonly string[];
  readonly mode: "absorb" | "macvlan";
  readonly network: string;
  /** What cannot be absorbed while it is there, and why. */
  readonly refused?: { readonly parent: string; readonly reason: string };
}

const DEVICES: readonly Device[] = [
  { kind: "veth", nic: FIRST, made: [], mode: "absorb", network: "10.98.0" },
  {
    kind: "vlan",
    nic: `${SHORT}v`,
    made: [
      `-n ${WORLD} link add link br0 name br0.7 up type vlan id 7`,
      `-n ${WORLD} address add 10.98.7.9/24 dev br0.7`,
      `link add link ${FIRST} name ${SHORT}v up type vlan id 7`,
    ],
    mode: "absorb",
    network: "10.98.7",
    refused: { parent: FIRST, reason: `${SHORT}v is a vlan of it` },
  },
  {
    kind: "bond",
    nic: `${SHORT}o`,
    made: [
      `link add ${SHORT}o type bond mode active-backup miimon 100`,
      ...[FIRST, SECOND].flatMap((card) => [`link set ${card} down`, `link set ${card} master ${SHORT}o`]),
      `link set ${SHORT}o up`,
    ],
    mode: "macvlan",
    network: "10.98.0",
    refused: { parent: `${SHORT}o`, reason: "the kernel keeps in its namespace" },
  },
];

const lab = (parent: string, mode: string, network: string) => `
name: kinds
networks: { lan: { cidr: ${network}.0/24 } }
nodes:
  a: { kind: netns, nics: [ { network: lan, ip: ${network}.1/24 } ] }
  out: { kind: phy, parent: ${parent}, mode: ${mode}, nics: [ { network: lan } ] }
`;

describe.skipIf(!requires("root", "openvswitch", "iperf3", "ping", "iproute2"))("a phy", () => {
  let before: Machine;
  let yard: LiveYard;

  beforeAll(async () => {
    before = await snapshotMachine();
    await run(["ip", "netns", "add", WORLD]);
    await ip(`-n ${WORLD} link add br0 up type bridge`);
    await ip(`-n ${WORLD} address add 10.98.0.9/24 dev br0`);
    for (const [index, card] of [FIRST, SECOND].entries()) {
      await ip(`link add ${card} up type veth peer name eth${index} netns ${WORLD}`);
      await ip(`-n ${WORLD} link set eth${index} up master br0`);
    }
    yard = await LiveYard.create(NAME);
  });
  afterAll(async () => {
    await yard[Symbol.asyncDispose]();
    for (const nic of [...DEVICES.map((device) => device.nic), SECOND]) await tryRun(["ip", "link", "delete", nic]);
    await run(["ip", "netns", "delete", WORLD]);
    await expectSameMachine(before, ours);
  });

  const ip = (words: string) => run(["ip", ...words.split(" ")]);
  /** All that ip(8) tells of a NIC, but for what its moves and its users make of it. */
  const look = async (nic: string) =>
    (await ip(`-d -o link show ${nic}`)).replace(/^\d+: /, "").replaceAll(/(promiscuity|active_slave) \w+/g, "");

  test.each(DEVICES.filter(({ kind }) => knowsLinkKind(kind)))(
    "has a $kind of the host's as a port, and the host has it again as it was",
    async ({ kind, nic, made, mode, network, refused }) => {
      for (const words of made) await ip(words);
      if (refused !== undefined) {
        const { failures } = await yard.up(lab(refused.parent, "absorb", network));
        expect(failures).toMatchObject([
          { code: "nic.parent-in-use", message: expect.stringContaining(refused.reason) },
        ]);
      }
      const was = await look(nic);
      expect((await yard.up(lab(nic, mode, network))).failures).toEqual([]);
      expect(await yard.comesToReach("a", `${network}.9`)).toBe(true);
      await expectBulkTo(yard, "a", WORLD, `${network}.9`);
      if (kind === "bond") {
        await ip(`-n ${WORLD} link set eth0 down`);
        expect(await yard.comesToReach("a", `${network}.9`)).toBe(true);
      }
      expect((await yard.up("name: kinds\nnodes: {}\n")).failures).toEqual([]);
      expect(await look(nic)).toBe(was);
      if (kind !== "veth") await ip(`link delete ${nic}`);
    },
  );
});

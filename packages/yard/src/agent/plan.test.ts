import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { PLAIN_PORT } from "@switchyard/vswitch";
import fc from "fast-check";
import { actualState, desiredState } from "../../tests/arbitrary.ts";
import { applyToModel } from "../../tests/host-model.ts";
import type { Action } from "./action.ts";
import { PHASES, phaseOf } from "./action.ts";
import { describe as describeAction } from "./describe.ts";
import { plan } from "./plan.ts";
import { EMPTY, type State } from "./state.ts";

// Thousands of plans are made here.
setDefaultTimeout(60_000);

const revive = { revive: true };

/** A state as plain sorted data, less what is not compared; sysctls as far as `like` asks for them. */
function plain(state: State, like: State) {
  const sorted = <T, R>(map: ReadonlyMap<string, T>, pick: (value: T, key: string) => R) =>
    [...map].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([key, value]) => [key, pick(value, key)] as const);
  return {
    bridges: sorted(state.bridges, ({ purpose: _, ...it }) => it),
    ports: sorted(state.ports, ({ purpose: _, ...it }) => it),
    namespaces: sorted(state.namespaces, (it, key) => {
      const asked = Object.keys(like.namespaces.get(key)?.sysctls ?? {}).toSorted();
      return { ...it, sysctls: asked.map((name) => `${name}=${it.sysctls[name]}`) };
    }),
    veths: sorted(state.veths, ({ purpose: _, ...it }, key) => {
      const asked = like.veths.get(key);
      return { ...it, mac: asked?.mac === "" ? "" : it.mac, offloads: asked?.offloads || it.offloads };
    }),
    links: sorted(state.links, ({ purpose: _, ...it }, key) => {
      const asked = like.links.get(key);
      return { ...it, mac: asked?.mac === "" ? "" : it.mac, mtu: asked?.mtu === 0 ? 0 : it.mtu };
    }),
    vteps: sorted(state.vteps, ({ purpose: _, ...it }) => it),
    underlays: sorted(state.underlays, ({ purpose: _, ...it }) => it),
    containers: sorted(state.containers, ({ config: _, grace: __, ...it }, key) => ({
      ...it,
      status: statusOf(it, like.containers.get(key)),
    })),
    taps: sorted(state.taps, ({ purpose: _, ...it }) => it),
    machines: sorted(state.machines, ({ config: _, grace: __, ...it }, key) => ({
      ...it,
      status: statusOf(it, like.machines.get(key)),
    })),
    memberships: sorted(ofHomes(state, like), ({ nwid }) => nwid),
    services: sorted(state.services, ({ purpose: _, ...it }) => it),
    nats: sorted(state.nats, ({ purpose: _, ...it }, key) => {
      const asked = like.nats.get(key)?.forwarding ?? true;
      return { ...it, forwarding: it.forwarding && asked };
    }),
    hostBridges: sorted(state.hostBridges, ({ purpose: _, ...it }) => it),
    members: sorted(state.members, ({ bridge }) => bridge),
    files: sorted(state.files, (it) => (it.type === "text" ? it.text : { target: it.target })),
    exec: sorted(state.exec, (it) => [it.hash, it.failed]),
  };
}

/** One that is not to run may as well never have run. */
function statusOf({ status }: { readonly status: string }, like: { readonly status: string } | undefined): string {
  return like?.status === "exited" && status === "created" ? "exited" : status;
}

/** Only processes that shall run are asked for theirs. */
function ofHomes({ memberships }: State, like: State): State["memberships"] {
  const homes = new Set([...like.memberships.values()].map(({ home }) => home));
  return new Map([...memberships].filter(([, { home }]) => homes.has(home)));
}

function expectReached(actual: State, desired: State) {
  expect(plain(actual, desired)).toEqual(plain(desired, desired));
}

describe("the plan", () => {
  test("carried out, leads to the desired state, and then there is nothing to do", () => {
    fc.assert(
      fc.property(desiredState, actualState, (desired, actual) => {
        const after = applyToModel(actual, plan(desired, actual, revive));
        expectReached(after, desired);
        expect(plan(desired, after, revive)).toEqual([]);
      }),
      { numRuns: 1000 },
    );
  });

  test("converges from wherever it was interrupted, and whatever part of it failed", () => {
    fc.assert(
      fc.property(
        desiredState,
        actualState,
        fc.infiniteStream(fc.integer({ min: 0, max: 2 })),
        fc.nat({ max: 60 }),
        (desired, actual, dice, cut) => {
          const actions = plan(desired, actual, revive);
          const prefix = applyToModel(actual, actions.slice(0, cut));
          expectReached(applyToModel(prefix, plan(desired, prefix, revive)), desired);
          const some = actions.filter(() => dice.next().value !== 0);
          const partly = applyToModel(actual, some);
          expectReached(applyToModel(partly, plan(desired, partly, revive)), desired);
        },
      ),
      { numRuns: 1000 },
    );
  });

  test("never starts what is stopped, whoever asks, and starts it once it is to run again", () => {
    fc.assert(
      fc.property(desiredState, actualState, fc.boolean(), (desired, actual, asked) => {
        const started = new Set(
          plan(desired, actual, { revive: asked }).flatMap((it) =>
            it.do === "container-start" || it.do === "machine-start" || it.do === "exec" ? [it.node] : [],
          ),
        );
        const all = [...desired.containers, ...desired.machines];
        for (const [node, { status }] of all) if (status === "exited") expect(started).not.toContain(node);
        const running = <V extends { readonly status: string }>(map: ReadonlyMap<string, V>) =>
          new Map([...map].map(([node, it]) => [node, { ...it, status: "running" as const }]));
        const again = { ...desired, containers: running(desired.containers), machines: running(desired.machines) };
        const starts = plan(again, applyToModel(actual, plan(desired, actual, revive)), revive);
        for (const [node, { status }] of all)
          expect(starts.some((it) => it.do.endsWith("-start") && "node" in it && it.node === node)).toBe(
            status === "exited",
          );
      }),
    );
  });

  test("touches only what is declared or ours", () => {
    fc.assert(
      fc.property(desiredState, actualState, (desired, actual) => {
        for (const action of plan(desired, actual, revive)) {
          const [kinds, name] = target(action);
          expect(kinds.some((kind) => desired[kind].has(name) || actual[kind].has(name))).toBe(true);
        }
      }),
    );
  });

  test("from nothing to nothing is empty, and taking all away leaves nothing", () => {
    expect(plan(EMPTY, EMPTY, revive)).toEqual([]);
    fc.assert(
      fc.property(actualState, (actual) => {
        expectReached(applyToModel(actual, plan(EMPTY, actual, revive)), EMPTY);
      }),
    );
  });

  test("is in the order of the phases", () => {
    fc.assert(
      fc.property(desiredState, actualState, (desired, actual) => {
        const order = plan(desired, actual, revive).map((action) => PHASES.indexOf(phaseOf(action)));
        expect(order).toEqual(order.toSorted((a, b) => a - b));
      }),
    );
  });

  test("leaves a container or virtual machine that has exited, and all that hangs on it, alone unless asked to revive", () => {
    fc.assert(
      fc.property(desiredState, fc.constantFrom("created" as const, "exited" as const), (desired, status) => {
        // A whole host on which all containers have ended by themselves.
        const actual: State = {
          ...desired,
          containers: new Map([...desired.containers].map(([node, it]) => [node, { ...it, status }])),
          machines: new Map([...desired.machines].map(([node, it]) => [node, { ...it, status }])),
          namespaces: new Map([...desired.namespaces].map(([name, it]) => [name, { ...it, container: undefined }])),
          exec: new Map([...desired.exec].filter(([node]) => !desired.containers.has(node))),
        };
        const actions = plan(desired, actual, { revive: false });
        if (status === "exited") expect(actions).toEqual([]);
        else {
          const wanted = (all: ReadonlyMap<string, { readonly status: string }>) =>
            [...all.values()].filter((it) => it.status === "running").length;
          expect(actions.filter((it) => it.do === "container-start")).toHaveLength(wanted(desired.containers));
          expect(actions.filter((it) => it.do === "machine-start")).toHaveLength(wanted(desired.machines));
        }
      }),
    );
  });
});

function target(action: Action): [kinds: readonly (keyof State)[], name: string] {
  switch (action.do) {
    case "service-stop":
    case "service-start":
      return [["services"], action.id];
    case "container-stop":
    case "container-remove":
    case "container-create":
    case "container-start":
      return [["containers"], action.node];
    case "machine-stop":
    case "machine-remove":
    case "machine-create":
    case "machine-start":
    case "machine-plug":
    case "machine-unplug":
      return [["machines"], action.node];
    case "tap-create":
    case "tap-delete":
    case "tap-set":
      return [["taps"], action.tap];
    case "namespace-create":
    case "namespace-adopt":
    case "namespace-delete":
    case "sysctl-set":
    case "route-add":
    case "route-delete":
      return [["namespaces"], action.namespace];
    case "veth-create":
    case "veth-delete":
    case "veth-set":
      return [["veths"], action.veth];
    case "link-create":
    case "link-set":
    case "link-delete":
    case "link-return":
      return [["links"], action.link];
    case "address-add":
    case "address-delete":
      return [["veths", "links"], action.veth];
    case "pipe-create":
    case "pipe-set":
    case "pipe-delete":
      return [["pipes"], action.pipe];
    case "sink-create":
    case "sink-set":
    case "sink-delete":
      return [["sinks"], action.sink];
    case "mirror-set":
    case "mirror-delete":
      return [["mirrors"], action.mirror];
    case "zerotier-join":
    case "zerotier-leave":
      return [["memberships"], action.membership];
    case "vtep-set":
    case "vtep-delete":
      return [["vteps"], action.vtep];
    case "underlay-set":
    case "underlay-clear":
      return [["underlays"], action.device];
    case "nat-set":
    case "nat-delete":
      return [["nats"], action.device];
    case "host-bridge-set":
    case "host-bridge-delete":
      return [["hostBridges"], action.bridge];
    case "member-add":
    case "member-remove":
      return [["members"], action.nic];
    case "file-delete":
    case "file-write":
      return [["files"], action.path];
    case "port-delete":
    case "port-set":
      return [["ports"], action.port];
    case "bridge-delete":
    case "bridge-set":
      return [["bridges"], action.bridge];
    case "exec":
    case "exec-forget":
      return [["exec"], action.node];
  }
}

describe("a single change", () => {
  const base = small();

  test("a nic moved to another network keeps its veth: only its port changes", () => {
    const port = base.ports.get("_k_1_0");
    if (!port) throw new Error("the port is part of the example");
    const desired = { ...base, ports: new Map(base.ports).set("_k_1_0", { ...port, bridge: "_b_b" }) };
    expect(plan(desired, base, revive).map(describeAction)).toEqual(["+ nic n1:eth0: port _k_1_0 on bridge _b_b"]);
  });

  test("a changed fingerprint makes a container anew, in the same namespace with the same nics where that is ours", () => {
    const desired = withContainer(base, "f2");
    expect(plan(desired, withContainer(base, "f1"), revive).map((it) => it.do)).toEqual([
      "container-remove",
      "container-create",
      "container-start",
      "exec",
    ]);
  });

  test("a docker container that its engine restarted gets its nics again in its new namespace", () => {
    const docker = (container: string | undefined): State => ({
      ...withContainer(base, "f1", "docker"),
      namespaces: new Map([
        ["yard_t_n1", { node: "n1", container, routes: ["default4 via 10.0.0.9 dev eth0"], sysctls: {} }],
      ]),
    });
    const actions = plan(docker("n1"), { ...docker(undefined), exec: new Map() }, { revive: false });
    expect(actions.map((it) => it.do)).toEqual([
      "namespace-delete",
      "veth-delete",
      "namespace-adopt",
      "port-delete",
      "veth-create",
      "port-set",
      "address-add",
      "route-add",
      "exec",
    ]);
  });

  test("a new address replaces the old one, and the routes that went with it come back", () => {
    const veth = base.veths.get("_k_1_0");
    if (!veth) throw new Error("the veth is part of the example");
    const desired = { ...base, veths: new Map([["_k_1_0", { ...veth, addresses: ["10.0.0.2/24"] }]]) };
    expect(plan(desired, base, revive).map(describeAction)).toEqual([
      "- nic n1:eth0: remove address 10.0.0.1/24 from eth0",
      "+ nic n1:eth0: address 10.0.0.2/24 on eth0",
      "+ node n1: route default via 10.0.0.9 dev eth0",
    ]);
  });

  test("a switch that passes on what is unfinished has a nic finish its packets, another leaves it alone", () => {
    const nic = (offloads: boolean): State => {
      const veth = base.veths.get("_k_1_0");
      if (!veth) throw new Error("the veth is part of the example");
      return { ...base, veths: new Map([["_k_1_0", { ...veth, offloads }]]) };
    };
    expect(plan(nic(false), nic(true), revive).map(describeAction)).toEqual([
      "~ nic n1:eth0: set offloads off on eth0",
    ]);
    expect(plan(nic(true), nic(false), revive)).toEqual([]);
  });

  test("a node that is gone costs its namespace: its veth goes with it", () => {
    const actions = plan({ ...EMPTY, bridges: base.bridges }, base, revive);
    expect(actions.map((it) => it.do)).toEqual(["namespace-delete", "exec-forget", "port-delete"]);
  });
});

function small(): State {
  const bridge = { datapath: "netdev", otherConfig: {}, hub: false, purpose: "" };
  const purpose = "nic n1 eth0";
  return {
    ...EMPTY,
    bridges: new Map([
      ["_b_a", bridge],
      ["_b_b", bridge],
    ]),
    namespaces: new Map([
      ["yard_t_n1", { node: "n1", container: undefined, routes: ["default4 via 10.0.0.9 dev eth0"], sysctls: {} }],
    ]),
    veths: new Map([
      [
        "_k_1_0",
        {
          namespace: "yard_t_n1",
          name: "eth0",
          mac: "",
          mtu: 1500,
          up: true,
          offloads: true,
          addresses: ["10.0.0.1/24"],
          purpose,
        },
      ],
    ]),
    ports: new Map([["_k_1_0", { ...PLAIN_PORT, bridge: "_b_a", purpose }]]),
    exec: new Map([["n1", { hash: "h", failed: false, commands: [["true"]], env: {}, namespace: "yard_t_n1" }]]),
  };
}

function withContainer(state: State, fingerprint: string, runtime: "oci" | "docker" = "oci"): State {
  const namespace = "yard_t_n1";
  return {
    ...state,
    containers: new Map([
      ["n1", { runtime, engine: undefined, fingerprint, status: "running", namespace, config: undefined }],
    ]),
  };
}

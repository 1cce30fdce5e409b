import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { readOrders } from "./orders.ts";

const container = "0123456789abcdef";
const config = { engine: "ovs-dpdk", iftype: "vhostuser", vhost: { mode: "server", socketfile: "0123456789ab-eth0" } };
const ipResult = {
  cniVersion: "1.0.0",
  ips: [{ address: "10.1.0.2/24", gateway: "10.1.0.1" }],
  routes: [{ dst: "0.0.0.0/0" }, { dst: "10.9.0.0/16", gw: "10.1.0.9" }],
};

describe("what the host hands over", () => {
  let folder: string;
  const notes: string[] = [];
  beforeAll(() => {
    folder = mkdtempSync("/tmp/tcontainer-");
    for (const name of ["data", "shared", "podinfo"]) mkdirSync(`${folder}/${name}`);
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  const write = (file: string, value: unknown) =>
    writeFileSync(`${folder}/${file}`, typeof value === "string" ? value : JSON.stringify(value));
  const read = () => {
    notes.length = 0;
    const places = { data: `${folder}/data`, shared: `${folder}/shared`, annotations: `${folder}/podinfo/annotations` };
    return readOrders(places, (line) => void notes.push(line));
  };
  const order = {
    containerId: container,
    ifname: "eth0",
    socket: expect.any(String),
    server: true,
    bridge: undefined,
    vlan: undefined,
    addresses: ["10.1.0.2/24"],
    routes: [
      { to: "0.0.0.0/0", via: "10.1.0.1" },
      { to: "10.9.0.0/16", via: "10.1.0.9" },
    ],
  };

  test("is nothing while there are no files, and no folders", () => {
    expect(read()).toEqual([]);
    const nowhere = { data: "/nowhere/a", shared: "/nowhere/b", annotations: "/nowhere/c" };
    expect(readOrders(nowhere, () => {})).toEqual([]);
  });

  test("is read from remote- and addData- files once both are there", () => {
    write("data/remote-eth0.json", { type: "userspace", host: { ...config, bridge: { bridgeName: "b", vlanId: 7 } } });
    expect(read()).toEqual([]);
    write("data/addData-eth0.json", { containerId: container, ifName: "eth0", ipResult });
    expect<unknown>(read()).toEqual([{ ...order, socket: `${folder}/shared/0123456789ab-eth0`, bridge: "b", vlan: 7 }]);
    // Where all containers' folders are mounted the socket is in ours.
    mkdirSync(`${folder}/shared/0123456789ab`);
    expect(read()[0]?.socket).toBe(`${folder}/shared/0123456789ab/0123456789ab-eth0`);
    for (const name of ["remote", "addData"]) rmSync(`${folder}/data/${name}-eth0.json`);
    rmSync(`${folder}/shared/0123456789ab`, { recursive: true });
  });

  test("is read from configData- files beside the sockets, and not from other containers' folders", () => {
    write("shared/configData-0123456789ab-eth0.json", {
      containerId: container,
      ifName: "eth0",
      name: "n",
      config,
      ipResult,
    });
    mkdirSync(`${folder}/shared/other`);
    write("shared/other/configData-other-eth0.json", { containerId: "other", ifName: "eth0", config, ipResult: {} });
    expect<unknown>(read()).toEqual([{ ...order, socket: `${folder}/shared/0123456789ab-eth0` }]);
    for (const name of ["configData-0123456789ab-eth0.json", "other"])
      rmSync(`${folder}/shared/${name}`, { recursive: true });
  });

  test("is read from the pod's annotations", () => {
    const vhost = { mode: "client", socketfile: "s" };
    const data = JSON.stringify([
      { containerId: container, ifName: "eth0", name: "n", config: { vhost }, ipResult: {} },
    ]);
    const lines = [
      'kubernetes.io/config.seen="2026-01-01"',
      `userspace/configuration-data=${JSON.stringify(data)}`,
      'userspace/mapped-dir="/mapped"',
    ];
    write("podinfo/annotations", lines.join("\n"));
    expect<unknown>(read()).toEqual([{ ...order, socket: "/mapped/s", server: false, addresses: [], routes: [] }]);
    rmSync(`${folder}/podinfo/annotations`);
  });

  test("is what the files say where the annotations say it, too: those come later, and name a folder that may be a guess", () => {
    const vhost = { mode: "server", socketfile: "s" };
    const told = { containerId: container, ifName: "eth0", name: "n", config: { vhost }, ipResult };
    const second = { ...told, ifName: "eth1" };
    const data = JSON.stringify([told, second]);
    write(
      "podinfo/annotations",
      `userspace/configuration-data=${JSON.stringify(data)}\nuserspace/mapped-dir="/mapped"`,
    );
    write("shared/configData-0123456789ab-eth0.json", { ...told, config });
    expect<unknown>(read()).toEqual([
      { ...order, socket: `${folder}/shared/0123456789ab-eth0` },
      { ...order, ifname: "eth1", socket: "/mapped/s" },
    ]);
    for (const file of ["podinfo/annotations", "shared/configData-0123456789ab-eth0.json"]) rmSync(`${folder}/${file}`);
  });

  test("that cannot be read, or would lead out of the folder, is noted and left", () => {
    write("data/configData-a-eth0.json", "{");
    const vhost = { mode: "server", socketfile: "../../etc/x" };
    write("data/configData-b-eth0.json", { containerId: container, ifName: "eth0", config: { vhost } });
    expect(read()).toEqual([]);
    expect(notes).toHaveLength(2);
    expect(notes[1]).toContain("is not the name of a file");
  });
});

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { cpSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { tryRun } from "@switchyard/base";
import { expectSameMachine, type Machine, requires, snapshotMachine } from "@switchyard/testing";
import { createSite, type Site, yardName } from "./yard.ts";

setDefaultTimeout(60_000);

const able = requires("root", "openvswitch", "runc", "conmon", "busybox", "ping", "iperf3");
const examples = new URL("../../../examples", import.meta.url).pathname;

describe.skipIf(!able)("a lab, from up to down", () => {
  const yard = yardName();
  let before: Machine;
  let site: Site;
  let example: string;
  let port: number;
  const run = (...argv: readonly string[]) => site.yard(yard, argv);

  beforeAll(async () => {
    before = await snapshotMachine();
    site = await createSite();
    // The example as it is, but for what is the whole host's: somebody may be showing it on this machine.
    port = freePort();
    cpSync(join(examples, "www"), join(site.folder, "www"), { recursive: true });
    example = site.write(
      "hello.yard.yaml",
      readFileSync(join(examples, "hello.yard.yaml"), "utf8")
        .replaceAll("10.1.0.", "10.251.0.")
        .replace("8080:80", `${port}:80`),
    );
    const up = await run("up", example);
    // One that takes longer tells how far it is.
    expect({ code: up.code, stderr: up.stderr.replaceAll(/^up hello: .*\n/gm, "") }).toEqual({ code: 0, stderr: "" });
    expect(up.stdout).toMatch(/^lab hello: 3 networks, 1 link, 6 nodes added \(.*\)\n$/);
  });
  afterAll(async () => {
    await site[Symbol.asyncDispose]();
    await expectSameMachine(before, { ours: new RegExp(yard) });
  });

  test("a second up has nothing to do, and plan agrees", async () => {
    expect((await run("up", example)).stdout).toMatch(/^lab hello: nothing to do/);
    expect((await run("plan", example)).stdout).toBe("nothing to do\n");
  });

  test("the yard has a key for encrypted links, of which the public half is told, always the same", async () => {
    const { stdout } = await run("key");
    expect(stdout).toMatch(/^[A-Za-z0-9+/]{43}=\n$/);
    expect(JSON.parse((await run("key", "--json")).stdout)).toEqual({ yard, key: stdout.trim() });
  });

  test("its checks prove what reaches what and what does not", async () => {
    const check = await run("check", "--junit", "report.xml");
    expect(check.stdout).toContain("9 of 9 checks as expected");
    expect(check.code).toBe(0);
    expect(readFileSync(join(site.folder, "report.xml"), "utf8")).toContain('tests="9" failures="0"');
  });

  test("ps lists nodes, networks, addresses and ports; as JSON and as bare names too", async () => {
    const { stdout } = await run("ps");
    expect(stdout).toMatch(/^LAB +NODE +KIND +STATE +NETWORK +ADDRESS +PORTS +UP\n/);
    expect(stdout).toMatch(/hello +web +container\/oci +running +office +10\.251\.0\.10\/24 +\d+->80\/tcp/);
    expect(stdout).toMatch(/hello +probe +netns +running +wire router:wire0 +10\.9\.0\.2\/30/);
    const names = ["web", "router", "client", "probe", "vault-1", "vault-2"];
    expect((await run("ps", "-q")).stdout).toBe(`${names.join("\n")}\n`);
    const json = JSON.parse((await run("ps", "--json")).stdout);
    expect(json.nodes.map((node: { name: string }) => node.name)).toEqual(names);
    expect(json.labs).toMatchObject([{ name: "hello", state: "up", file: example }]);
  });

  test("inspect names the namespace that `ip netns exec` takes, and the ports of the switch", async () => {
    const [router] = JSON.parse((await run("inspect", "router", "--json")).stdout);
    expect(router).toMatchObject({ name: "router", namespace: `yard_${yard}_router`, state: "running" });
    expect(router.nics[0]).toMatchObject({ name: "eth0", bridge: "_b_office", port: `_k_${router.objId}_0` });
    const addresses = await tryRun(["ip", "-n", router.namespace, "-o", "-4", "address", "show", "dev", "eth0"]);
    expect(addresses.stdout).toContain("10.251.0.1/24");
    const { stdout } = await run("inspect", "web");
    expect(stdout).toContain(`namespace  yard_${yard}_web`);
  });

  test("exec passes the exit code, standard input and both outputs on", async () => {
    const result = await site.yard(yard, ["exec", "-i", "web", "--", "sh", "-c", "cat; echo err >&2; exit 7"], {
      input: "from outside",
    });
    expect(result).toEqual({ code: 7, stdout: "from outside", stderr: "err\n" });
    expect((await run("exec", "probe", "cat", "/proc/self/net/dev")).stdout).toContain("wire0");
    expect((await run("exec", "-e", "GREETING=hi", "client", "--", "sh", "-c", "echo $GREETING")).stdout).toBe("hi\n");
  });

  test("nodes resolve each other by name", async () => {
    expect((await run("exec", "client", "--", "ping", "-c1", "-W2", "web")).stdout).toContain("10.251.0.10");
    expect((await run("exec", "probe", "--", "ping", "-c1", "-W2", "client")).code).toBe(0);
  });

  test("a published port leads to the node", async () => {
    const page = await fetch(`http://127.0.0.1:${port}/`);
    expect(page.status).toBe(200);
  });

  test("shell runs the caller's script, in a container and in a bare namespace", async () => {
    expect(await site.yard(yard, ["shell", "web"], { input: "hostname; exit 3\n" })).toMatchObject({
      code: 3,
      stdout: "web\n",
    });
    expect(await site.yard(yard, ["shell", "router"], { input: "exit 4\n" })).toMatchObject({ code: 4 });
  });

  test("logs are a container's, and none of a bare namespace's", async () => {
    expect((await run("logs", "web")).code).toBe(0);
    const none = await run("logs", "router");
    expect(none.code).toBe(1);
    expect(none.stderr).toContain("[node.no-logs]");
  });

  test("cp copies into a node and out again", async () => {
    site.write("in.txt", "some text\n");
    expect((await run("cp", "in.txt", "web:/tmp/copy.txt")).code).toBe(0);
    expect((await run("exec", "web", "cat", "/tmp/copy.txt")).stdout).toBe("some text\n");
    expect((await run("cp", "web:/tmp/copy.txt", "out.txt")).code).toBe(0);
    expect(readFileSync(join(site.folder, "out.txt"), "utf8")).toBe("some text\n");
    expect((await run("cp", "in.txt", "router:/tmp/x")).stderr).toContain("[cp.host-files]");
    expect((await run("cp", "in.txt", "out.txt")).code).toBe(2);
  });

  test("pingall finds every pair of a network reachable", async () => {
    const { code, stdout } = await run("pingall");
    expect(stdout).toContain("0% dropped (8/8 received)");
    expect(code).toBe(0);
  });

  test("iperf measures between two nodes", async () => {
    const { code, stdout } = await run("iperf", "-t", "1", "client", "web", "--json");
    expect(code).toBe(0);
    expect(JSON.parse(stdout).bitsPerSecond).toBeGreaterThan(1e8);
  });

  test("a name that is not there is an error with the nearest one", async () => {
    const { code, stderr } = await run("inspect", "wbe");
    expect(code).toBe(1);
    expect(stderr).toContain("did you mean web?");
    const json = await run("inspect", "wbe", "--json");
    expect(JSON.parse(json.stderr).errors[0].code).toBe("node.unknown");
  });

  test("the model changes command by command, and what fails leaves nothing behind", async () => {
    expect((await run("add", "network", "extra", "--cidr", "10.8.0.0/24")).stdout).toContain("network extra added");
    expect((await run("add", "netns", "guest", "-n", "extra")).stdout).toContain("node guest added");
    expect((await run("add", "netns", "guest", "-n", "extra")).stdout).toContain("nothing to do");
    expect((await run("attach", "guest", "cellar,ip=10.3.0.77/24")).stdout).toContain(
      "nic guest:eth1 attached to cellar",
    );
    expect((await run("exec", "guest", "--", "ping", "-c1", "-W2", "10.3.0.1")).code).toBe(0);
    expect((await run("detach", "guest:eth1")).stdout).toContain("detached");
    expect((await run("exec", "guest", "--", "ip", "link", "show", "eth1")).code).not.toBe(0);
    const absent = await run("add", "container", "ghost", "--runtime", "oci", "--image", "absent", "-n", "extra");
    expect(absent.code).toBe(1);
    expect(absent.stderr).toContain("[runtime.image-absent]");
    expect((await run("ps", "-q")).stdout).not.toContain("ghost");
    expect((await run("rm", "extra")).stderr).toContain("[network.in-use]");
    expect((await run("rm", "extra", "guest")).code).toBe(0);
    expect((await run("ps", "--networks", "-q")).stdout).not.toContain("extra");
  });

  test("nodes are stopped, stay so when the lab is made again, and are started; the plan says nothing of them", async () => {
    expect((await run("stop", "web", "client", "--grace", "0")).stdout).toMatch(/^web, client stopped \(/);
    expect((await run("stop", "web", "--json")).stdout).toMatch(/"changed": ?false/);
    expect((await run("up", example)).stdout).toMatch(/^lab hello: nothing to do/);
    const { stdout } = await run("ps");
    expect(stdout).toMatch(/hello +web +container\/oci +stopped +office +10\.251\.0\.10\/24/);
    expect((await run("ps", "--labs")).stdout).toMatch(/hello +up /);
    const inside = await run("exec", "client", "--", "true");
    expect([inside.code, inside.stderr]).toEqual([1, expect.stringContaining("start it: yard start client")]);
    expect((await run("plan", example)).stdout).toBe("nothing to do\n");
    expect(await run("stop", "wbe")).toMatchObject({ code: 1, stderr: expect.stringContaining("did you mean web?") });
    expect((await run("start", "web", "client")).stdout).toMatch(/^web, client started \(/);
    expect(await run("pingall")).toMatchObject({ code: 0 });
  });

  test("completion knows the nodes that run", async () => {
    expect((await run("__complete", "--", "-y", yard, "inspect", "vau")).stdout).toBe("vault-1\tnode\nvault-2\tnode\n");
  });

  test("yards lists it", async () => {
    expect((await run("yards")).stdout).toMatch(new RegExp(`^${yard} +running`, "m"));
  });

  test("down takes the lab away by its file, and a second time there is nothing to do", async () => {
    expect((await run("down", example)).stdout).toMatch(/^3 networks, 1 link, 6 nodes removed/);
    expect((await run("down", example)).stdout).toMatch(/^nothing to do/);
    expect((await run("ps")).stdout).toBe(`no nodes in yard ${yard}\n`);
    expect((await run("down", "--all")).stdout).toContain(`yard ${yard} is gone`);
    expect((await run("down", "--all")).stdout).toContain("nothing to do");
  });
});

function freePort(): number {
  const server = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  server.stop();
  return server.port;
}

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { ensureGuest, podmanConfiguration, requires, startDockerEngine } from "@switchyard/testing";
import { handsOf } from "./hands.ts";
import { OFFICE, openStage, type Stage } from "./stage.ts";

setDefaultTimeout(90_000);

const able = requires(
  ...(["root", "openvswitch", "iproute2", "ping", "busybox", "runc", "conmon", "docker-engine", "podman"] as const),
  ...(["qemu", "nftables", "dnsmasq", "chromium"] as const),
);

describe.skipIf(!able)("nodes of every kind", () => {
  let stage: Stage;
  const engines = new AsyncDisposableStack();
  beforeAll(async () => {
    const [docker, podman] = await Promise.all([startDockerEngine(), podmanConfiguration()]);
    engines.use(docker);
    engines.use(podman);
    stage = await openStage(OFFICE, { env: { DOCKER_HOST: docker.address, ...podman.env } });
  });
  afterAll(async () => {
    await stage?.[Symbol.asyncDispose]();
    await engines.disposeAsync();
  });

  const { plan, menu, make, add, undo } = handsOf(() => stage);
  /** Adds a node by the form, which then runs. */
  const addNode = async (kind: string, name: string, answers: Readonly<Record<string, string>>) => {
    await add("+ Node", { Kind: kind, Name: name, ...answers });
    await plan().getByText(name).first().waitFor();
    await make(`Add the node ${name}`);
    await stage.page.locator(`[data-node="${name}"][data-state="running"]`).waitFor();
  };
  const rows = (name: string) => stage.page.locator(`[data-terminal="${name}"] .xterm-rows`);
  /** Opens a container's terminal, and pings from it. */
  const pingFrom = async (name: string) => {
    const { page } = stage;
    await page.locator(`[data-node="${name}"] .node-name`).dblclick();
    await rows(name)
      .locator("div", { hasText: `${name}:` })
      .first()
      .waitFor();
    await page.keyboard.type("ping -c 1 web\n");
    await rows(name).getByText("1 packets received").waitFor();
  };

  for (const runtime of ["oci", "docker", "podman"])
    test(`a container of ${runtime} is added by the form, and has its terminal in the page`, async () => {
      const name = `box-${runtime}`;
      await addNode("container", name, { Runtime: runtime, Image: "busybox", Command: "sleep 1000", Network: "desk" });
      await pingFrom(name);
    });

  test("a virtual machine is added by the form, and its console is in the page", async () => {
    const { page } = stage;
    const { kernel, initrd } = await ensureGuest();
    await addNode("vm", "guest", {
      "Kernel, to boot without a boot loader": kernel,
      "Its initial RAM disk": initrd,
      "Its command line": "console=ttyS0 quiet address=10.61.1.77/24",
      Memory: "96M",
      Network: "desk",
    });
    await menu('[data-node="guest"] .node-name', "Serial console");
    // It boots without KVM.
    await rows("guest").getByText("guest ready").waitFor({ timeout: 60_000 });
    await page.keyboard.type("echo in the $((40+2))nd machine; ip addr show eth0\n");
    await rows("guest").getByText("in the 42nd machine").waitFor();
    await rows("guest").getByText("10.61.1.77/24").waitFor();
  });

  test("a virtual machine is paused and goes on by its menu", async () => {
    const { page } = stage;
    await menu('[data-node="guest"] .node-name', "Pause");
    await page.locator('[data-node="guest"] .node-state', { hasText: "paused" }).waitFor();
    await menu('[data-node="guest"] .node-name', "Resume");
    await page.locator('[data-node="guest"] .node-state', { hasText: "paused" }).waitFor({ state: "detached" });
  });

  test("a node is stopped and started by its menu, after the plan was seen, and undo starts it, too", async () => {
    const { page } = stage;
    for (const name of ["box-oci", "pc"]) {
      await menu(`[data-node="${name}"] .node-name`, "Stop…");
      await plan().getByText(name).first().waitFor();
      await make(`Stop ${name}`);
      await page.locator(`[data-node="${name}"][data-state="stopped"]`).waitFor();
    }
    await undo("Stop pc");
    await page.locator('[data-node="pc"][data-state="running"]').waitFor();
    await menu('[data-node="box-oci"] .node-name', "Start…");
    await plan().getByText("box-oci").first().waitFor();
    await make("Start box-oci");
    await page.locator('[data-node="box-oci"][data-state="running"]').waitFor();
  });

  test("what joins networks to each other and to the host is added by the form", async () => {
    const { page } = stage;
    await addNode("a2b", "line", { "First network": "desk", "Second network": "cellar" });
    await addNode("tap", "ttap0", { Network: "cellar" });
    await addNode("nat", "out", { Subnet: "10.61.7.0/24", Network: "cellar" });
    expect(await page.locator('[data-nic="line:eth0"]').getAttribute("data-on")).toBe("desk");
    await add("+ Network", { Name: "guests", Type: "vlan", VLAN: "30", "Network or bridge that it is one of": "desk" });
    await make("Add the network guests");
    await page.locator('[data-network="guests"][data-state="up"]', { hasText: "vlan 30" }).waitFor();
  });

  test("what a form does not ask is written into it as into the file", async () => {
    const { page, yard } = stage;
    await page.getByRole("button", { name: "+ Node" }).click();
    await page.getByText("More, as the lab file writes it").click();
    await page.getByRole("textbox", { name: "More, as the lab file writes it" }).fill("nics: [desk");
    await page.getByRole("textbox", { name: "Name", exact: true }).fill("odd");
    await page.locator("dialog").getByRole("button", { name: "See the plan" }).click();
    await page.locator("dialog").getByRole("alert").waitFor();
    await page
      .getByRole("textbox", { name: "More, as the lab file writes it" })
      .fill("nics: [{ network: desk, ip: 10.61.1.99 }]");
    await page.locator("dialog").getByRole("button", { name: "See the plan" }).click();
    await make("Add the node odd");
    expect(await yard("exec", "odd", "--", "ip", "-br", "addr", "show", "eth0")).toContain("10.61.1.99/24");
  });

  test("is shown with nothing to complain of", () => {
    expect(stage.complaints).toEqual([]);
  });
});

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { ensureGuest, requires } from "@switchyard/testing";
import { handsOf } from "./hands.ts";
import { OFFICE, openStage, type Stage } from "./stage.ts";

setDefaultTimeout(90_000);

const able = requires("root", "openvswitch", "iproute2", "busybox", "qemu", "nftables", "dnsmasq", "chromium");

describe.skipIf(!able)("machines, and what joins networks", () => {
  let stage: Stage;
  beforeAll(async () => {
    stage = await openStage(OFFICE);
  });
  afterAll(async () => stage?.[Symbol.asyncDispose]());

  const { plan, menu, make, add, addNode, rows } = handsOf(() => stage);

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

  test("a virtual machine is paused and goes on by its menu, after the plan was seen", async () => {
    const { page } = stage;
    const state = page.locator('[data-node="guest"] .node-state', { hasText: "paused" });
    await menu('[data-node="guest"] .node-name', "Pause…");
    await plan().getByText("node guest").waitFor();
    await make("Pause guest");
    await state.waitFor();
    await menu('[data-node="guest"] .node-name', "Resume…");
    await make("Resume guest");
    await state.waitFor({ state: "detached" });
  });

  test("is shown with nothing to complain of", () => {
    expect(stage.complaints).toEqual([]);
  });
});

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync } from "node:fs";
import { requires } from "@switchyard/testing";
import { OFFICE, openStage, type Stage } from "./stage.ts";

setDefaultTimeout(60_000);

describe.skipIf(
  !requires("root", "openvswitch", "iproute2", "ping", "busybox", "runc", "conmon", "tshark", "chromium"),
)("what goes on in a yard", () => {
  let stage: Stage;
  beforeAll(async () => {
    const shop = '  shop: { kind: container, runtime: oci, image: busybox, command: [sleep, "1000"], nics: [desk] }\n';
    stage = await openStage(OFFICE.replace("\nlinks:", `${shop}\nlinks:`));
  });
  afterAll(async () => stage?.[Symbol.asyncDispose]());

  test("a node that is clicked on twice has its terminal in the page", async () => {
    const { page } = stage;
    await page.locator('[data-node="shop"]').dblclick();
    const terminal = page.locator('[data-terminal="shop"]');
    await terminal.locator(".xterm-rows", { hasText: "shop:" }).waitFor();
    await page.keyboard.type("ping -c 2 web && echo all $((40+2))\n");
    await terminal.locator(".xterm-rows", { hasText: "2 packets received" }).waitFor();
    await terminal.locator(".xterm-rows", { hasText: "all 42" }).waitFor();
  });

  test("a bare namespace has a shell of the host's", async () => {
    const { page } = stage;
    await page.locator('[data-node="left"]').dblclick();
    const rows = page.locator('[data-terminal="left"] .xterm-rows');
    await rows.locator("div", { hasText: "left:" }).first().waitFor();
    await page.keyboard.type("ip -br addr show wire0; exit 3\n");
    await rows.getByText("10.61.9.1/30").waitFor();
    await rows.getByText("ended with exit code 3").waitFor();
  });

  test("a nic that is clicked on twice shows its packets, taken apart", async () => {
    const { page, yard } = stage;
    await page.locator('[data-nic="pc:eth0"]').dblclick();
    const capture = page.locator('[data-capture="pc:eth0"]');
    await page.locator('[data-capture="pc:eth0"][data-phase="listening"]').waitFor();
    await yard("exec", "pc", "--", "ping", "-c", "2", "web");
    const pings = capture.locator('tr[data-protocol="ICMP"]');
    await pings.nth(3).waitFor();
    expect(await pings.first().textContent()).toMatch(/10\.61\.1\.\d+10\.61\.1\.\d+ICMP98Echo request/);
    await pings.first().click();
    await capture.getByText("IPv4, 10.61.1").waitFor();
    await capture.locator("dt", { hasText: "Time to live" }).waitFor();
    await capture.locator("pre", { hasText: "0000 " }).waitFor();
    await capture.getByRole("button", { name: "As tshark has it" }).click();
    await capture.locator('[data-by="tshark"]', { hasText: "Type: 8 (Echo (ping) request)" }).waitFor();
  });

  test("a display filter hides what it does not name, and says when it cannot be read", async () => {
    const { page } = stage;
    const capture = page.locator('[data-capture="pc:eth0"]');
    const filter = capture.getByLabel("Display filter");
    await filter.fill("icmp && icmp.type == 0");
    await capture.getByText("2 of").waitFor();
    expect(await capture.locator("tbody tr[data-protocol]").count()).toBe(2);
    await filter.fill("icmp &&");
    await capture.getByText("something is missing at the end").waitFor();
    await filter.fill("");
  });

  test("a capture can be saved as a file that others read, and says how Wireshark opens it", async () => {
    const { page } = stage;
    const capture = page.locator('[data-capture="pc:eth0"]');
    await capture.getByRole("button", { name: "Stop" }).click();
    await page.locator('[data-capture="pc:eth0"][data-phase="ended"]').waitFor();
    const saving = page.waitForEvent("download");
    await capture.getByRole("button", { name: "Download" }).click();
    const download = await saving;
    expect(download.suggestedFilename()).toBe("pc-eth0.pcapng");
    const file = readFileSync(await download.path());
    expect(file.readUInt32LE(0)).toBe(0x0a0d0d0a);
    expect(file.includes("pc:eth0")).toBe(true);
    const line = capture.getByRole("button", { name: "Copy the line for Wireshark" });
    expect(await line.getAttribute("title")).toMatch(/^sudo yard -y tpage\S+ capture pc:eth0 \| wireshark -k -i -/);
  });

  test("a nic's rates are drawn while traffic passes", async () => {
    const { page, yard } = stage;
    await page.locator('[data-nic="pc:eth0"]').click({ button: "right" });
    await page.getByRole("menuitem", { name: "Rates over time" }).click();
    await page.locator('[data-rates="pc:eth0"] canvas').waitFor();
    const ping = yard("exec", "pc", "--", "ping", "-c", "5", "-s", "1400", "-i", "0.4", "web");
    await page.locator('[data-nic="pc:eth0"][title*="kbit/s"]').waitFor();
    await ping;
  });

  test("a bridge shows the addresses that it has learnt, and its flows", async () => {
    const { page } = stage;
    await page.locator('[data-network="desk"]').dblclick();
    const bridge = page.locator("[data-bridge]");
    await bridge.locator("tr", { hasText: "pc:eth0" }).waitFor();
    await bridge.locator("tr", { hasText: "NORMAL" }).waitFor();
  });

  test("a packet's way through the switch is drawn hop by hop", async () => {
    const { page } = stage;
    await page.locator('[data-nic="pc:eth0"]').click({ button: "right" });
    await page.getByRole("menuitem", { name: "Trace a packet" }).click();
    await page.locator('select[name="to"]').selectOption("web:eth0");
    await page.getByRole("button", { name: "Trace" }).click();
    const hops = page.getByLabel("Way of the packet");
    await hops.getByText("leaves by web:eth0").waitFor();
    await hops.getByText("NORMAL").waitFor();
    await page.getByRole("button", { name: "Close" }).click();
  });

  test("a packet's way goes on behind the pipe of what is impaired", async () => {
    const { page, yard } = stage;
    await yard("impair", "pc:eth0", "delay=1ms");
    await page.locator('[data-nic="pc:eth0"]').click({ button: "right" });
    await page.getByRole("menuitem", { name: "Trace a packet" }).click();
    await page.locator('select[name="to"]').selectOption("web:eth0");
    await page.getByRole("button", { name: "Trace" }).click();
    const hops = page.getByLabel("Way of the packet");
    await hops.getByText("out of a pipe by _").waitFor();
    await hops.getByText("leaves by web:eth0").waitFor();
    await page.getByRole("button", { name: "Close" }).click();
    await yard("impair", "pc:eth0", "off");
  });

  test("is shown with nothing to complain of", () => {
    expect(stage.complaints).toEqual([]);
  });
});

/** Takes pictures of the page's main views, of a real yard: `bun packages/web/screenshots.ts FOLDER`. */
import { mkdirSync } from "node:fs";
import { openStage, type Stage } from "./tests/stage.ts";

const folder = process.argv[2] ?? "docs/images";
mkdirSync(folder, { recursive: true });

const LAB = `# Two offices, a router between them, and what joins them to the world.
name: offices

networks:
  # Where people sit.
  paris: { cidr: 10.71.1.0/24 }
  rome: { cidr: 10.71.2.0/24 }
  trunk: {}
  guests: { type: vlan, id: 30, master: trunk, cidr: 10.71.30.0/24 }
  backbone: { type: vxlan, id: 4200, peers: [192.0.2.7], cidr: 10.71.9.0/24 }

nodes:
  router:
    kind: netns
    sysctls: { net.ipv4.ip_forward: 1 }
    nics:
      - { network: paris, ip: 10.71.1.1, spy: true }
      - { network: rome, ip: 10.71.2.1 }
      - { network: backbone }
  web:
    kind: container
    runtime: oci
    image: busybox
    command: [httpd, -f, -p, "80"]
    nics: [{ network: paris, ip: 10.71.1.80, gateway: 10.71.1.1 }]
  desk: { kind: netns, count: 4, nics: [{ network: paris, gateway: 10.71.1.1 }] }
  bench: { kind: netns, count: 3, nics: [{ network: rome, gateway: 10.71.2.1, impair: { delay: 20ms } }] }
  phone: { kind: netns, count: 2, nics: [guests] }
  probe: { kind: netns, nics: [{ name: wire0, ip: 10.71.8.2/30 }] }
  tap: { kind: netns, nics: [{ name: wire0, ip: 10.71.8.1/30 }, rome] }
  # It has no image, and says so.
  lost: { kind: container, runtime: oci, image: no-such-image, nics: [rome] }

links:
  - { endpoints: ["probe:wire0", "tap:wire0"], impair: { loss: 10% } }
`;

for (const dark of [false, true]) {
  await using stage = await openStage(LAB, { dark, mayFail: true, name: "europe" });
  await pictures(stage, dark ? "-dark" : "");
}

async function pictures({ page, yard }: Stage, mode: string): Promise<void> {
  const shot = async (name: string) => void (await page.screenshot({ path: `${folder}/${name}${mode}.png` }));
  const menu = async (selector: string, entry: string) => {
    await page.locator(selector).first().click({ button: "right" });
    await page.getByRole("menuitem", { name: entry }).click();
  };
  const ping = yard("exec", "bench-1", "--", "ping", "-c", "25", "-i", "0.2", "web");
  await page.locator('[data-nic="bench-1:eth0"][data-traffic="out in"]').waitFor();
  await page.locator('[data-node="lost"][data-state="failed"]').waitFor();
  await shot("page");
  if (mode !== "") return void (await ping);
  await page.locator('[data-nic="router:eth0"]').dblclick();
  await page.locator('tr[data-protocol="ICMP"]').nth(5).click();
  await shot("page-packets");
  await page.locator('[data-node="web"] .node-name').dblclick();
  await page.locator('[data-terminal="web"] .xterm-rows', { hasText: "web:" }).waitFor();
  await page.keyboard.type("ip addr show eth0; ping -c 3 bench-1\n");
  await page.locator('[data-terminal="web"] .xterm-rows', { hasText: "3 packets received" }).waitFor();
  await shot("page-terminal");
  await menu('[data-nic="bench-1:eth0"]', "Rates over time");
  await page.locator("[data-rates] canvas").waitFor();
  await yard("exec", "bench-1", "--", "ping", "-c", "30", "-i", "0.1", "-s", "1400", "web");
  await shot("page-rates");
  await menu('[data-nic="bench-1:eth0"]', "Trace a packet");
  await page.locator('select[name="to"]').selectOption("bench-2:eth0");
  await page.getByRole("button", { name: "Trace", exact: true }).click();
  await page.getByLabel("Way of the packet").waitFor();
  await shot("page-trace");
  await page.getByRole("button", { name: "Close" }).click();
  await page.getByRole("button", { name: "Lab file" }).click();
  await page.getByRole("textbox", { name: "Lab file" }).waitFor();
  await menu('[data-nic="tap:eth1"]', "Plug into a network…");
  await page.locator('select[name="network"]').selectOption("paris");
  await page.locator("dialog").getByRole("button", { name: "See the plan" }).click();
  await page.getByLabel("What would be done").waitFor();
  await shot("page-plan");
  await page.getByRole("button", { name: "Cancel" }).click();
  await ping;
}

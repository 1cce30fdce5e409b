import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { podmanConfiguration, requires, startDockerEngine } from "@switchyard/testing";
import { handsOf } from "./hands.ts";
import { OFFICE, openStage, type Stage } from "./stage.ts";

setDefaultTimeout(60_000);

const able = requires(
  ...(["root", "openvswitch", "iproute2", "ping", "busybox", "runc", "conmon", "docker-engine", "podman"] as const),
  "chromium",
);

describe.skipIf(!able)("containers of every runtime", () => {
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

  const { plan, menu, make, addNode, undo, rows } = handsOf(() => stage);
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

  test("is shown with nothing to complain of", () => {
    expect(stage.complaints).toEqual([]);
  });
});

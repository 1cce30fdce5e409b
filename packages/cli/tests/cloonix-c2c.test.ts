import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { expectSameMachine, type Machine, requires, snapshotMachine } from "@switchyard/testing";
import { type CloonixSite, createCloonixSite } from "./cloonix-site.ts";

setDefaultTimeout(60_000);

const [NEAR, FAR] = [`near${process.pid}`, `far${process.pid}`];

describe.skipIf(!requires("root", "openvswitch", "runc", "conmon", "busybox"))("two nets of cloonix's", () => {
  let before: Machine;
  let cloonix: CloonixSite;
  const run = (line: string) => cloonix.said(line.replaceAll("NEAR", NEAR).replaceAll("FAR", FAR));

  beforeAll(async () => {
    before = await snapshotMachine();
    cloonix = await createCloonixSite(NEAR);
    for (const [n, net] of ["NEAR", "FAR"].entries()) {
      await run(`cloonix_net ${net}`);
      await run(`cloonix_cli ${net} add cru a eth=v busybox`);
      await run(`cloonix_cli ${net} add lan a 0 lan01`);
      await run(`cloonix_ssh ${net} a 'ip addr add 10.90.3.${n + 1}/24 dev eth0'`);
    }
  });
  afterAll(async () => {
    await run("cloonix_cli FAR kil");
    await cloonix[Symbol.asyncDispose]();
    await expectSameMachine(before, { ours: new RegExp(`${NEAR}|${FAR}`) });
  });

  test("are joined by a c2c whose other end is made with it", async () => {
    await run("cloonix_cli NEAR add c2c link FAR");
    expect(await run("cloonix_cli FAR lst")).toContain(`add c2c link ${NEAR}\n`);
    for (const net of ["NEAR", "FAR"]) await run(`cloonix_cli ${net} add lan link 0 lan01`);
    await run("cloonix_ssh NEAR a 'ping -c 1 -w 10 10.90.3.2'");
    expect(await run("cloonix_cli")).toMatch(new RegExp(`^${NEAR}: running, 2 items$`, "m"));
  });

  test("are listed so that both can be played again", async () => {
    for (const net of ["NEAR", "FAR"]) await run(`cloonix_cli ${net} lst > ${net}.sh`);
    for (const net of ["NEAR", "FAR"]) await run(`cloonix_cli ${net} rma`);
    for (const net of ["NEAR", "FAR"]) await run(`bash -e ${net}.sh`);
    // The end that the other net's list has made comes first now.
    for (const net of ["NEAR", "FAR"]) await run(`cloonix_cli ${net} lst | sort | diff <(sort ${net}.sh) -`);
  });

  test("are two again when it is deleted at one end", async () => {
    await run("cloonix_cli FAR del c2c link");
    expect(await run("cloonix_cli NEAR lst")).not.toContain("c2c");
    expect(await run("cloonix_ovs NEAR list-ports _b_lan01")).toBe("_k_3_0\n");
  });
});

import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { chmodSync, chownSync, copyFileSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { childEnvironment, tryRun } from "@switchyard/base";
import { expectSameMachine, requires, snapshotMachine, temporaryFolder } from "@switchyard/testing";

setDefaultTimeout(60_000);

const yard = new URL("../dist/yard", import.meta.url).pathname;
const NAME = `tgroup${process.pid}`;
const GID = 59_999;
const NOBODY = 65_534;

const LAB = `
name: shared
networks: { lan: { cidr: 10.251.4.0/24 } }
nodes:
  a: { kind: netns, nics: [{ network: lan, ip: 10.251.4.1/24 }] }
  b: { kind: netns, nics: [{ network: lan, ip: 10.251.4.2/24 }] }
`;

/** Root makes a yard, on a host that has the group; then somebody of the group looks into it, and somebody who is not. */
const SCRIPT = `
mount --bind group /etc/group
as() { gid=$1; shift; setpriv --reuid=${NOBODY} --regid=$gid --clear-groups "$@"; }
./yard up shared.yard.yaml
as ${GID} ./yard ps -q
ip netns exec yard_${NAME}_a ping -qn -i 0.1 10.251.4.2 >/dev/null & ping=$!
as ${GID} ./yard capture b:eth0 icmp -c 4 -w own/seen.pcapng
as ${NOBODY} ./yard capture b:eth0 -c 1 -w own/unseen.pcapng
kill $ping
as ${GID} ./yard exec a -- sh -c 'echo as $(id -u); exit 7'; echo "ended with $?"
echo fed | as ${GID} ./yard exec -i a -- cat
as ${GID} ./yard plan shared.yard.yaml
as ${GID} ./yard exec a -- sh -c 'echo begun >&2; exec sleep 60' 2>own/begun & errand=$!
until [ -s own/begun ]; do sleep 0.02; done
kill -TERM $errand; wait $errand; echo "ended with $?"
as ${GID} ./yard exec gone -- true
as ${GID} ./yard cp own/begun a:/tmp
as ${NOBODY} ./yard exec a -- true
for verb in ps "bridge list" down "down --all" "ovs show"; do as ${NOBODY} ./yard $verb; done
as ${GID} ./yard ps -q
./yard down --all
`;

describe.skipIf(!requires("root", "openvswitch", "iproute2", "ping", "tcpdump"))("the group yard", () => {
  test("may look into a yard and enter its nodes, and writes what it captures as itself; others may not, and are told so", async () => {
    const before = await snapshotMachine();
    await using folder = await temporaryFolder("sygroup-");
    const at = (name: string) => `${folder.path}/${name}`;
    chmodSync(folder.path, 0o755);
    copyFileSync(yard, at("yard"));
    writeFileSync(at("shared.yard.yaml"), LAB);
    writeFileSync(at("group"), `${readFileSync("/etc/group", "utf8").replace(/^yard:.*\n/m, "")}yard:x:${GID}:\n`);
    mkdirSync(at("own"));
    chownSync(at("own"), NOBODY, NOBODY);
    const env = {
      ...childEnvironment(),
      SWITCHYARD_RUN_DIR: at("run"),
      SWITCHYARD_STATE_DIR: at("state"),
      SWITCHYARD_YARD: NAME,
    };
    const { stdout, stderr } = await tryRun(["unshare", "--mount", "sh", "-c", SCRIPT], { cwd: folder.path, env });
    const entered = ["as 0", "ended with 7", "fed", "nothing to do", "ended with 143"];
    expect(stdout.split("\n").slice(1, -2)).toEqual(["a", "b", ...entered, "a", "b"]);
    expect(stderr).toContain("[node.unknown]");
    expect(stderr.match(/\[privilege\.root-needed\]/g)).toHaveLength(2);
    // Nobody is told that there is nothing where he may not look.
    expect(stderr.match(/\[(yard|ovs)\.no-access\]/g)).toHaveLength(5);
    expect(stderr).toContain("4 frames captured, 4 let through, 0 dropped");
    expect(stderr).toContain("[yard.not-permitted]");
    expect(statSync(at("own/seen.pcapng"))).toMatchObject({ uid: NOBODY, gid: GID });
    expect(() => statSync(at("own/unseen.pcapng"))).toThrow("ENOENT");
    await expectSameMachine(before, { ours: new RegExp(NAME) });
  });
});

/**
 * A router for tests and examples: a root file system of busybox and the host's FRR, whose `router` runs OSPF on all
 * interfaces, with hellos each second. The addresses of its interfaces say which networks it tells of;
 * `knows-routes NUMBER` in it waits until it has as many.
 */
import { chmodSync, copyFileSync, existsSync, mkdirSync, realpathSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { run } from "@switchyard/base";

const DAEMONS = "/usr/lib/frr";
const PROGRAMS = [`${DAEMONS}/zebra`, `${DAEMONS}/ospfd`, "/usr/bin/vtysh"];
/** The most interfaces that a router of ours has. */
const INTERFACES = 8;

const interfaces = Array.from(
  { length: INTERFACES },
  (_, n) =>
    `interface eth${n}\n ip ospf hello-interval 1\n ip ospf dead-interval 4\n ip ospf retransmit-interval 2\nexit\n`,
).join("");

const FILES: Readonly<Record<string, string>> = {
  "etc/passwd": "root:x:0:0:root:/root:/bin/sh\nfrr:x:100:100:frr:/run/frr:/bin/false\n",
  "etc/group": "root:x:0:\nfrr:x:100:\nfrrvty:x:101:frr\n",
  "etc/frr/vtysh.conf": "",
  "etc/frr/zebra.conf": "",
  // What is counted begins soon after a change, as labs are small.
  "etc/frr/ospfd.conf": `${interfaces}router ospf\n network 0.0.0.0/0 area 0\n timers throttle spf 50 200 2000\n timers throttle lsa all 0\n timers lsa min-arrival 0\nexit\n`,
  "etc/pam.d/frr": "auth sufficient pam_permit.so\naccount sufficient pam_permit.so\n",
  "etc/pam.d/other": "auth required pam_permit.so\naccount required pam_permit.so\n",
  "bin/knows-routes": `#!/bin/sh
until [ $(ip -4 route | wc -l) -eq $1 ]; do sleep 0.2; done
`,
  "bin/router": `#!/bin/sh
trap 'exit 0' TERM INT
${DAEMONS}/zebra -d -f /etc/frr/zebra.conf
${DAEMONS}/ospfd -d -f /etc/frr/ospfd.conf
while :; do sleep 86400 & wait $!; done
`,
};

/**
 * Makes it in a folder; one that is there already is left as it is.
 *
 * @throws Error when FRR or a static busybox is not installed
 */
export async function makeRouterRoot(folder: string): Promise<void> {
  if (existsSync(join(folder, "bin/router"))) return;
  for (const program of [...PROGRAMS, "/bin/busybox"])
    if (!existsSync(program)) throw new Error(`${program} is missing: apt-get install frr busybox-static`);
  const at = (path: string) => {
    const file = join(folder, path);
    mkdirSync(dirname(file), { recursive: true });
    return file;
  };
  for (const path of ["proc", "sys", "dev", "tmp", "root", "run/frr", "var"])
    mkdirSync(join(folder, path), { recursive: true });
  symlinkSync("../run", at("var/run"));
  const applets = (await run(["/bin/busybox", "--list"])).trim().split("\n");
  copyFileSync("/bin/busybox", at("bin/busybox"));
  for (const applet of applets) if (applet !== "busybox") symlinkSync("busybox", join(folder, "bin", applet));
  const libraries = (await run(["ldd", ...PROGRAMS])).matchAll(/(?:=> |^\s*)(\/\S+) \(/gm);
  for (const path of new Set([...PROGRAMS, ...[...libraries].map(([, library = ""]) => library)]))
    copyFileSync(realpathSync(path), at(path));
  // vtysh asks PAM who it is that talks.
  for (const path of new Bun.Glob("*/security/pam_permit.so").scanSync({ cwd: "/lib", absolute: true }))
    copyFileSync(path, at(path));
  for (const [path, text] of Object.entries(FILES)) writeFileSync(at(path), text);
  for (const program of ["router", "knows-routes"]) chmodSync(join(folder, "bin", program), 0o755);
  chmodSync(join(folder, "run/frr"), 0o777);
}

import { createHash } from "node:crypto";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { run, YardError } from "@switchyard/base";
import { type Image, type ImageConfig, NO_CONFIG } from "./types.ts";
import { once } from "./unpacked.ts";

/** Debian's `busybox-static`; Alpine's is linked against musl and would not run alone. */
const PROGRAM = "/bin/busybox";

/**
 * Without a command it stays, and goes at once when told to: `sleep` as process 1 would ignore SIGTERM, as the kernel
 * gives process 1 no default action.
 */
const CONFIG: ImageConfig = {
  ...NO_CONFIG,
  command: ["sh", "-c", "trap 'exit 0' TERM INT; while :; do sleep 86400 & wait $!; done"],
};

const FILES: Readonly<Record<string, string>> = {
  "etc/passwd": "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n",
  "etc/group": "root:x:0:\ntty:x:5:\nnogroup:x:65534:\n",
  "etc/shadow": "root:!:::::::\nnobody:!:::::::\n",
  "etc/hosts": "127.0.0.1 localhost\n::1 localhost\n",
  "etc/hostname": "localhost\n",
  "etc/resolv.conf": "",
  "etc/nsswitch.conf": "hosts: files dns\n",
  "etc/profile": "export PS1='\\h:\\w\\$ '\n",
  "etc/services": "ssh 22/tcp\ntelnet 23/tcp\ndomain 53/tcp\ndomain 53/udp\nhttp 80/tcp\nhttps 443/tcp\n",
};

/**
 * The built-in image: a root file system around the host's static busybox, made when first asked for.
 *
 * @throws YardError `runtime.busybox-missing`
 */
export async function busyboxImage(images: string): Promise<Image> {
  if (!existsSync(PROGRAM)) throw missing(`there is no ${PROGRAM}`);
  const digest = digestOfProgram();
  const applets = async () => (await run([PROGRAM, "--list-full"])).split("\n").filter((line) => line !== "");
  const root = await once(`${images}/busybox-${digest}`, async (draft) => fill(draft, await applets()));
  return { root, config: CONFIG };
}

let known: { readonly sign: string; readonly digest: string } | undefined;

/** What the image is made of, as 32 hexadecimal digits; computed again when the program has changed. */
function digestOfProgram(): string {
  const { size, mtimeMs, ino } = statSync(PROGRAM);
  const sign = `${size} ${mtimeMs} ${ino}`;
  if (known?.sign === sign) return known.digest;
  const program = readFileSync(PROGRAM);
  // The interpreter's name is only in a dynamically linked program, and its libraries would not be in the image.
  if (program.subarray(0, 4096).includes("/ld-")) throw missing(`${PROGRAM} is not statically linked`);
  const digest = createHash("sha256").update(program).update(JSON.stringify(FILES)).digest("hex").slice(0, 32);
  known = { sign, digest };
  return digest;
}

function fill(root: string, applets: readonly string[]): void {
  const folders =
    "bin dev etc home mnt opt proc root run sbin srv sys tmp usr/bin usr/sbin var/log var/spool var/tmp var/www";
  // Not left to our umask: users other than root live in it too.
  chmodSync(root, 0o755);
  for (const folder of folders.split(" ")) {
    mkdirSync(`${root}/${folder}`, { recursive: true });
    chmodSync(`${root}/${folder}`, 0o755);
  }
  for (const folder of ["usr", "var"]) chmodSync(`${root}/${folder}`, 0o755);
  for (const folder of ["tmp", "var/tmp"]) chmodSync(`${root}/${folder}`, 0o1777);
  chmodSync(`${root}/root`, 0o700);
  copyFileSync(PROGRAM, `${root}/bin/busybox`);
  chmodSync(`${root}/bin/busybox`, 0o755);
  for (const applet of applets) {
    if (!/^(usr\/)?s?bin\/[^/]+$/.test(applet) || applet === "bin/busybox") continue;
    symlinkSync("/bin/busybox", `${root}/${applet}`);
  }
  symlinkSync("/run", `${root}/var/run`);
  for (const [name, content] of Object.entries(FILES)) {
    writeFileSync(`${root}/${name}`, content);
    chmodSync(`${root}/${name}`, 0o644);
  }
  chmodSync(`${root}/etc/shadow`, 0o640);
}

function missing(problem: string): YardError {
  return new YardError("runtime.busybox-missing", `the image busybox cannot be made: ${problem}`, {
    hint: "apt-get install busybox-static",
  });
}

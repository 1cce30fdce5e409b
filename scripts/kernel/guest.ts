/**
 * A virtual machine under Debian's kernel whose root is this host's, unwritable, with a layer in memory over it: the kernel
 * that most users have, with this host's programs and this tree.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { childEnvironment, deadline, delay, run } from "@switchyard/base";
import { createLogger } from "@switchyard/base/log";
import { openVmEngine } from "@switchyard/runtime";
import {
  CpioArchive,
  type DebianKernel,
  debianKernel,
  modulePath,
  RUN_MARK,
  temporaryFolder,
} from "@switchyard/testing";

const VIRTIOFSD = "/usr/lib/qemu/virtiofsd";

/** What the root file system and the way out need, in the order in which they need each other. */
const MODULES = [
  ...["virtio_ring", "virtio", "virtio_pci_legacy_dev", "virtio_pci_modern_dev", "virtio_pci"],
  ...["fuse", "virtiofs", "overlay", "virtio_console"],
];

/** Of the machine, in MiB; what tests write is in there too. */
const MEMORY = 4096;
/** What `run.sh` says every ten seconds, and for how many seconds it may say nothing. */
const BEAT = "alive";
const SILENCE = 90;

/** What machines of this host are made of. */
export interface GuestHost {
  readonly kernel: DebianKernel;
  readonly accelerator: "kvm" | "tcg";
}

export interface GuestRun<T> {
  /** The folder of this tree. */
  readonly root: string;
  /** Seconds. */
  readonly limit: number;
  /** What the command has come to, of the last line; undefined of others. */
  readonly read: (line: string) => T | undefined;
  readonly print: (line: string) => void;
}

/** @throws Error when there is no kernel to be had, or nothing to start it with */
export async function openGuestHost(): Promise<GuestHost> {
  const kernel = await debianKernel("amd64");
  // modprobe(8) in the guest finds modules by these tables.
  if (!existsSync(`${kernel.folder}/lib/modules/${kernel.release}/modules.dep.bin`))
    await run(["depmod", "-b", kernel.folder, kernel.release], { timeout: 120_000 });
  await using folder = await temporaryFolder("tkernel-");
  const log = createLogger("kernel", "silent");
  await using engine = await openVmEngine({ stateDir: folder.path, runDir: folder.path, log });
  return { kernel, accelerator: (await engine.probe()).accelerator.name };
}

/**
 * Boots a machine, runs a command in it, prints what that says, and ends the machine.
 *
 * @param words the command; none has a line break
 * @returns what it came to
 * @throws Error when the machine ended or froze without that, or its time was over; it has the end of what its kernel said
 */
export async function runInGuest<T>(
  words: readonly string[],
  host: GuestHost,
  { root, limit, read, print }: GuestRun<T>,
): Promise<T> {
  await using folder = await temporaryFolder("tkernel-");
  using _folder = onExit(() => rmSync(folder.path, { recursive: true, force: true }));
  writeFileSync(`${folder.path}/initrd`, initialDisk(host.kernel, root, words));
  await using files = await shareRoot(`${folder.path}/files`);
  await using machine = start("qemu-system-x86_64", machineWords(host, folder.path, files.socket));
  // It says why it cannot start.
  machine.child.stderr.on("data", (text) => print(String(text).trim()));
  let reason = "the machine ended without a result";
  const lose = (why: string) => {
    reason = why;
    machine.child.kill("SIGKILL");
  };
  const late = setTimeout(lose, limit * 1000, `the machine did not end within ${limit} s`);
  const silent = setTimeout(lose, SILENCE * 1000, `the machine gave no sign of life for ${SILENCE} s`);
  try {
    for await (const line of createInterface({ input: machine.child.stdout })) {
      silent.refresh();
      if (line === BEAT) continue;
      print(line);
      const result = read(line);
      if (result !== undefined) return result;
    }
  } finally {
    clearTimeout(late);
    clearTimeout(silent);
  }
  const said = existsSync(`${folder.path}/console`) ? readFileSync(`${folder.path}/console`, "utf8") : "";
  throw new Error([`${reason}; what its kernel said last:`, ...said.trim().split("\n").slice(-30)].join("\n"));
}

/**
 * QEMU that translates for several processors at once goes on, now and then, with code that Linux has patched meanwhile: the
 * breakpoint of a static key that was switched is then hit for ever, a soft lockup. With one processor it cannot.
 */
function processors({ accelerator }: GuestHost): number {
  return accelerator === "kvm" ? 2 : 1;
}

function machineWords(host: GuestHost, folder: string, socket: string): string[] {
  const { kernel, accelerator } = host;
  return [
    ...["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"],
    ...["-machine", `q35,accel=${accelerator},memory-backend=memory`, "-smp", `${processors(host)}`],
    // Bun needs more than the processor that QEMU translates for by default.
    ...["-cpu", accelerator === "kvm" ? "host" : "max"],
    // virtiofsd reads and writes the machine's memory itself.
    ...["-m", `${MEMORY}`, "-object", `memory-backend-memfd,id=memory,size=${MEMORY}M,share=on`],
    ...["-kernel", kernel.image, "-initrd", `${folder}/initrd`, "-append", "console=ttyS0 quiet panic=-1"],
    ...["-serial", `file:${folder}/console`],
    ...["-chardev", `socket,id=files,path=${socket}`, "-device", "vhost-user-fs-pci,chardev=files,tag=host"],
    ...["-chardev", "stdio,id=words,signal=off", "-device", "virtio-serial-pci"],
    ...["-device", "virtserialport,chardev=words,name=words"],
  ];
}

function initialDisk(kernel: DebianKernel, root: string, words: readonly string[]): Buffer {
  const archive = new CpioArchive();
  for (const folder of ["bin", "dev", "proc", "sys", "modules"]) archive.folder(folder);
  const beside = (name: string) => readFileSync(new URL(name, import.meta.url));
  archive.file("init", beside("init.sh"), 0o755);
  archive.file("run.sh", beside("run.sh"), 0o644);
  archive.file("bin/busybox", readFileSync(Bun.which("busybox") ?? "/bin/busybox"), 0o755);
  for (const module of MODULES) archive.file(`modules/${module}.ko`, readFileSync(modulePath(kernel, module)), 0o644);
  const lines = (texts: readonly string[]) => Buffer.from(texts.map((text) => `${text}\n`).join(""));
  archive.file("order", lines(MODULES), 0o644);
  archive.file("modules.path", lines([`${kernel.folder}/lib/modules`]), 0o644);
  archive.file("checkout", lines([root]), 0o644);
  archive.file("words", lines(words), 0o644);
  return archive.end();
}

/** This host's root file system for the one machine that connects to the socket. */
async function shareRoot(socket: string): Promise<AsyncDisposable & { readonly socket: string }> {
  const server = start(VIRTIOFSD, [
    ...[`--socket-path=${socket}`, "-o", "source=/", "-o", "sandbox=chroot", "-o", "cache=always"],
    // It cannot have more files open than this process may.
    "--rlimit-nofile=0",
  ]);
  const { child } = server;
  child.stdout.resume();
  let said = "";
  // When the machine goes, it complains.
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    said += text;
  });
  using limit = deadline(10_000, "guest.timeout", `${VIRTIOFSD} does not serve`);
  // It tells nobody that it listens.
  while (!existsSync(socket) && child.exitCode === null) await delay(20, limit);
  if (child.exitCode !== null) throw new Error(`${VIRTIOFSD} does not serve: ${said.trim()}`);
  return { socket, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
}

/** With an input that stays open: QEMU takes its end for that of whoever listens. */
function start(program: string, words: readonly string[]) {
  // By its mark it is found and ended where this process was killed.
  const env = { ...childEnvironment(), [RUN_MARK]: `${process.pid}-kernel` };
  const child = spawn(program, words, { stdio: ["pipe", "pipe", "pipe"], env });
  const watch = onExit(() => child.kill("SIGKILL"));
  return {
    child,
    async [Symbol.asyncDispose]() {
      watch[Symbol.dispose]();
      if (child.exitCode !== null || child.signalCode !== null) return;
      const ended = once(child, "exit");
      child.kill("SIGKILL");
      await ended;
    },
  };
}

/** Does what is left to do should this process end before the disposal. */
function onExit(work: () => void): Disposable {
  process.once("exit", work);
  return { [Symbol.dispose]: () => process.off("exit", work) };
}

/** A containerd of a test's own, spoken to as a kubelet does: gRPC over its socket (CRI's api.proto, runtime.v1). */
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { type ClientHttp2Session, connect } from "node:http2";
import { connect as connectSocket } from "node:net";
import { deadline, run, tryRun } from "@switchyard/base";
import { busyboxTar, temporaryFolder } from "@switchyard/testing";

export interface Containerd extends AsyncDisposable {
  readonly address: string;
  readonly folder: string;
  /** A root file system, for `ctr run --rootfs`. */
  readonly root: string;
  /** Calls a method of the RuntimeService. @returns the fields of the answer */
  call(method: string, message: Message): Promise<ReadonlyMap<number, Uint8Array>>;
}

/** Fields by their numbers: texts, numbers, and messages within. */
export type Message = readonly (readonly [field: number, value: string | number | Message])[];

const IMAGE = "localhost/busybox:1";

/** @param cni the folders of plugins, and of networks */
export async function startContainerd(cni: { readonly bin: string; readonly conf: string }): Promise<Containerd> {
  await using stack = new AsyncDisposableStack();
  const { path: folder } = stack.use(await temporaryFolder("tcnicli-cd-"));
  const address = `${folder}/c.sock`;
  const cri = 'plugins."io.containerd.grpc.v1.cri"';
  writeFileSync(
    `${folder}/config.toml`,
    `version = 2
root = "${folder}/root"
state = "${folder}/state"
disabled_plugins = ["io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs"]
[grpc]
  address = "${address}"
[${cri}]
  sandbox_image = "${IMAGE}"
  restrict_oom_score_adj = true
  [${cri}.cni]
    bin_dir = "${cni.bin}"
    conf_dir = "${cni.conf}"
  [${cri}.containerd]
    snapshotter = "native"
`,
  );
  const child = spawn("containerd", ["--config", `${folder}/config.toml`], { stdio: ["ignore", "ignore", "pipe"] });
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  stack.defer(async () => {
    child.kill("SIGTERM");
    await ended;
    // Its namespaces' groups, which stay behind empty; one that somebody else uses cannot be removed.
    for (const name of ["k8s.io", "default"])
      await tryRun(["find", "/sys/fs/cgroup", "-maxdepth", "2", "-name", name, "-exec", "rmdir", "{}", ";"]);
  });
  let said = "";
  await new Promise<void>((resolve, reject) => {
    child.stderr.on("data", (chunk: Buffer) => {
      said = (said + chunk.toString("utf8")).slice(-8_000);
      if (said.includes("containerd successfully booted")) resolve();
    });
    const limit = deadline(30_000, "testing.containerd-slow", "containerd was not ready within 30 s");
    limit.addEventListener("abort", () => reject(new Error(`containerd was not ready; it said:\n${said}`)), {
      once: true,
    });
    void ended.then(() => reject(new Error(`containerd ended; it said:\n${said}`)));
  });
  const root = await importImage(folder, address);
  const session = connect("http://localhost", { createConnection: () => connectSocket(address) });
  stack.defer(() => session.close());
  const owned = stack.move();
  return {
    address,
    folder,
    root,
    call: (method, message) => unary(session, `/runtime.v1.RuntimeService/${method}`, encode(message)),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** Busybox as an image, in the form of `docker save`. @returns its root file system unpacked */
async function importImage(folder: string, address: string): Promise<string> {
  const { tar, folder: made } = await busyboxTar();
  await using _made = made;
  const root = `${folder}/busybox`;
  mkdirSync(`${folder}/image`);
  mkdirSync(root);
  await run(["tar", "-C", root, "-xf", tar]);
  await run(["cp", tar, `${folder}/image/layer.tar`]);
  const layer = createHash("sha256").update(readFileSync(tar)).digest("hex");
  const config = {
    architecture: "amd64",
    os: "linux",
    config: { Cmd: ["/bin/sleep", "1000"], Env: ["PATH=/bin"] },
    rootfs: { type: "layers", diff_ids: [`sha256:${layer}`] },
  };
  writeFileSync(`${folder}/image/config.json`, JSON.stringify(config));
  const manifest = [{ Config: "config.json", RepoTags: [IMAGE], Layers: ["layer.tar"] }];
  writeFileSync(`${folder}/image/manifest.json`, JSON.stringify(manifest));
  await run([
    "tar",
    "-C",
    `${folder}/image`,
    "-cf",
    `${folder}/image.tar`,
    "manifest.json",
    "config.json",
    "layer.tar",
  ]);
  await run([
    "ctr",
    "-a",
    address,
    "-n",
    "k8s.io",
    "images",
    "import",
    "--snapshotter",
    "native",
    `${folder}/image.tar`,
  ]);
  return root;
}

/** The words of the first pod's or container's configuration. */
export const podConfig = (name: string): Message => [
  [
    1,
    [
      [1, name],
      [2, `uid-${name}`],
      [3, "default"],
      [4, 0],
    ],
  ],
  [2, name],
];

export const containerConfig = (name: string, ...command: readonly string[]): Message => [
  [1, [[1, name]]],
  [2, [[1, IMAGE]]],
  ...command.map((word) => [3, word] as const),
];

export function text(fields: ReadonlyMap<number, Uint8Array>, field: number): string {
  return new TextDecoder().decode(fields.get(field));
}

/** Protocol buffers' wire format: only what CRI's messages here need. */
function encode(message: Message): Buffer {
  return Buffer.concat(
    message.map(([field, value]) => {
      if (typeof value === "number") return Buffer.from([...varint(field << 3), ...varint(value)]);
      const bytes = typeof value === "string" ? Buffer.from(value) : encode(value);
      return Buffer.concat([Buffer.from([...varint((field << 3) | 2), ...varint(bytes.length)]), bytes]);
    }),
  );
}

function varint(value: number): number[] {
  return value < 128 ? [value] : [(value & 127) | 128, ...varint(value >>> 7)];
}

/** Texts and messages as their bytes, numbers as one byte each (they are exit codes). */
function decode(bytes: Uint8Array): Map<number, Uint8Array> {
  const fields = new Map<number, Uint8Array>();
  let at = 0;
  const next = () => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++] ?? 0;
      value |= (byte & 127) << shift;
      if (byte < 128) return value;
    }
  };
  while (at < bytes.length) {
    const key = next();
    if ((key & 7) === 0) fields.set(key >> 3, new Uint8Array([next()]));
    else {
      const length = next();
      fields.set(key >> 3, bytes.subarray(at, at + length));
      at += length;
    }
  }
  return fields;
}

/** One call of gRPC (doc/PROTOCOL-HTTP2.md of grpc): a frame each way, the status in the trailers. */
function unary(session: ClientHttp2Session, path: string, message: Buffer): Promise<Map<number, Uint8Array>> {
  return new Promise((resolve, reject) => {
    const stream = session.request({
      ":method": "POST",
      ":path": path,
      "content-type": "application/grpc",
      te: "trailers",
    });
    const chunks: Buffer[] = [];
    let status = "";
    let words = "";
    const look = (headers: { readonly [name: string]: unknown }) => {
      status = String(headers["grpc-status"] ?? status);
      words = String(headers["grpc-message"] ?? words);
    };
    stream.on("response", look);
    stream.on("trailers", look);
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    stream.on("error", reject);
    stream.on("end", () => {
      if (status === "0") resolve(decode(Buffer.concat(chunks).subarray(5)));
      else reject(new Error(`${path}: ${status} ${decodeURIComponent(words)}`));
    });
    const length = Buffer.alloc(5);
    length.writeUInt32BE(message.length, 1);
    stream.end(Buffer.concat([length, message]));
  });
}

/** What may lie in the image folder, and what of it must not get out. */
import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { createHash } from "node:crypto";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { buffer } from "node:stream/consumers";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { requires, type TemporaryFolder, temporaryFolder } from "@switchyard/testing";
import { type Header, pack } from "tar-stream";
import { ensureImage } from "../src/oci/images/mod.ts";
import { ociPaths } from "../src/oci/paths.ts";

// The machine may be busy with other tests.
setDefaultTimeout(60_000);

type File = Partial<Header> & { readonly content?: string | Buffer };

async function tar(files: Readonly<Record<string, File | string | Buffer>>): Promise<Buffer> {
  const archive = pack();
  for (const [name, file] of Object.entries(files)) {
    const { content = "", ...header } = typeof file === "string" || Buffer.isBuffer(file) ? { content: file } : file;
    archive.entry({ name, ...header }, content);
  }
  archive.finalize();
  return buffer(archive);
}

const sha = (content: Buffer) => createHash("sha256").update(content).digest("hex");

describe.skipIf(!requires("root"))("the image folder", () => {
  let folder: TemporaryFolder;
  const paths = () =>
    ociPaths({ stateDir: `${folder.path}/state`, runDir: `${folder.path}/run`, imageDir: `${folder.path}/images` });
  const put = (name: string, content: Buffer) => writeFileSync(`${folder.path}/images/${name}`, content);
  const image = (name: string) => ensureImage(paths(), name);
  const codeOf = (promise: Promise<unknown>) =>
    promise.then(
      () => "nothing was thrown",
      (error) => error.code,
    );

  beforeEach(async () => {
    folder = await temporaryFolder("syruntime-");
    mkdirSync(`${folder.path}/images`);
  });
  afterEach(() => folder[Symbol.asyncDispose]());

  const config = {
    architecture: "amd64",
    config: { Env: ["PATH=/bin", "A=b=c"], Entrypoint: ["/init"], Cmd: ["serve"], User: "web", WorkingDir: "/srv" },
  };
  const lower = {
    "bin/": { type: "directory" as const },
    "bin/kept": { content: "lower", mode: 0o4755, uid: 12, gid: 34 },
    "bin/gone": "lower",
    "data/": { type: "directory" as const },
    "data/old": "lower",
    "data/more/deep": "lower",
    link: { type: "symlink" as const, linkname: "/bin/kept" },
  };
  const upper = {
    "bin/.wh.gone": "",
    "data/new": "upper",
    "data/.wh..wh..opq": "",
    "bin/hard": { type: "link" as const, linkname: "bin/kept" },
  };

  function expectLayered(root: string): void {
    expect(readdirSync(`${root}/bin`).sort()).toEqual(["hard", "kept"]);
    expect(readdirSync(`${root}/data`)).toEqual(["new"]);
    const { mode, uid, gid, ino } = statSync(`${root}/bin/kept`);
    expect([mode & 0o7777, uid, gid]).toEqual([0o4755, 12, 34]);
    expect(statSync(`${root}/bin/hard`).ino).toBe(ino);
    expect(readlinkSync(`${root}/link`)).toBe("/bin/kept");
  }

  test("takes what docker save wrote, with its layers and how it is to be run", async () => {
    const manifest = [{ Config: "c.json", RepoTags: ["x"], Layers: ["a/layer.tar", "b/layer.tar"] }];
    const files = {
      "manifest.json": JSON.stringify(manifest),
      "c.json": JSON.stringify(config),
      "a/layer.tar": await tar(lower),
      "b/layer.tar": gzipSync(await tar(upper)),
    };
    put("saved.tar", await tar(files));
    const { root, config: read } = await image("saved");
    expectLayered(root);
    expect(read).toEqual({
      env: { PATH: "/bin", A: "b=c" },
      entrypoint: ["/init"],
      command: ["serve"],
      user: "web",
      workdir: "/srv",
    });
  });

  test("takes an archive in the OCI layout", async () => {
    const [one, two] = [gzipSync(await tar(lower)), zstdCompressSync(await tar(upper))];
    const settings = Buffer.from(JSON.stringify(config));
    const blob = (content: Buffer) => ({ digest: `sha256:${sha(content)}`, size: content.length });
    const manifest = Buffer.from(JSON.stringify({ config: blob(settings), layers: [blob(one), blob(two)] }));
    const blobs = Object.fromEntries([one, two, settings, manifest].map((each) => [`blobs/sha256/${sha(each)}`, each]));
    const index = JSON.stringify({ manifests: [blob(manifest)] });
    put("laid.tar.gz", gzipSync(await tar({ "oci-layout": "{}", "index.json": index, ...blobs })));
    const { root, config: read } = await image("laid");
    expectLayered(root);
    expect(read.command).toEqual(["serve"]);
  });

  /** An image in the OCI layout, unpacked in a folder; its layers as they are said to be. */
  async function layout(name: string, tamper: (files: Record<string, Buffer>) => void = () => {}): Promise<string> {
    const plain = [await tar(lower), await tar(upper)];
    const layers = plain.map((layer) => gzipSync(layer));
    const ids = plain.map((layer) => `sha256:${sha(layer)}`);
    const settings = Buffer.from(JSON.stringify({ ...config, rootfs: { type: "layers", diff_ids: ids } }));
    const blob = (content: Buffer) => ({ digest: `sha256:${sha(content)}`, size: content.length });
    const manifest = Buffer.from(JSON.stringify({ config: blob(settings), layers: layers.map(blob) }));
    const files = Object.fromEntries(
      [...layers, settings, manifest].map((each) => [`blobs/sha256/${sha(each)}`, each] as const),
    );
    files["oci-layout"] = Buffer.from('{"imageLayoutVersion":"1.0.0"}');
    files["index.json"] = Buffer.from(JSON.stringify({ manifests: [blob(manifest)] }));
    tamper(files);
    const path = `${folder.path}/elsewhere/${name}`;
    mkdirSync(`${path}/blobs/sha256`, { recursive: true });
    for (const [file, content] of Object.entries(files)) writeFileSync(`${path}/${file}`, content);
    return path;
  }
  const largest = (files: Record<string, Buffer>) =>
    Object.keys(files)
      .filter((name) => name.startsWith("blobs/"))
      .toSorted((a, b) => (files[b]?.length ?? 0) - (files[a]?.length ?? 0))[0] ?? "";

  test("takes a folder in the OCI layout by its path, once for all that name it", async () => {
    const path = await layout("whole");
    const [one, two] = await Promise.all([image(path), image(path)]);
    expectLayered(one.root);
    expect(one.config.workdir).toBe("/srv");
    expect(two.root).toBe(one.root);
  });

  test("refuses what is not what its digests say, and leaves nothing of it", async () => {
    const changed = await layout("changed", (files) => {
      files[largest(files)] = Buffer.from("{}");
    });
    expect(await codeOf(image(changed))).toBe("runtime.image-bad");
    const cut = await layout("cut", (files) => {
      files[largest(files)] = files[largest(files)]?.subarray(0, -9) ?? Buffer.alloc(0);
    });
    expect(await codeOf(image(cut))).toBe("runtime.image-bad");
    const absent = await layout("absent", (files) => {
      delete files[largest(files)];
    });
    expect(await codeOf(image(absent))).toBe("runtime.image-bad");
    const swapped = {
      "manifest.json": JSON.stringify([{ Config: "c.json", Layers: ["a.tar"] }]),
      "c.json": JSON.stringify({ rootfs: { diff_ids: [`sha256:${sha(await tar(upper))}`] } }),
      "a.tar": await tar(lower),
    };
    put("swapped.tar", await tar(swapped));
    expect(await codeOf(image("swapped"))).toBe("runtime.image-bad");
    expect(await codeOf(image(`${folder.path}/elsewhere/none`))).toBe("runtime.image-absent");
    expect(readdirSync(paths().images).filter((name) => name !== "digests")).toEqual([]);
  });

  test("takes a packed root file system, unpacks it once, and again when it has changed", async () => {
    put("root.tar", await tar({ "./bin/": { type: "directory" }, "./bin/sh": "1" }));
    const first = await image("root:latest");
    expect(readFileSync(`${first.root}/bin/sh`, "utf8")).toBe("1");
    const again = await Promise.all([image("root"), image("root")]);
    expect(again.map(({ root }) => root)).toEqual([first.root, first.root]);
    put("root.tar", await tar({ "./bin/": { type: "directory" }, "./bin/sh": "22" }));
    const second = await image("root");
    expect(second.root).not.toBe(first.root);
    expect(readFileSync(`${second.root}/bin/sh`, "utf8")).toBe("22");
  });

  test("takes a folder as it is", async () => {
    mkdirSync(`${folder.path}/images/plain/bin`, { recursive: true });
    expect((await image("plain")).root).toBe(`${folder.path}/images/plain`);
  });

  test("lets no archive write outside of its root", async () => {
    const outside = `${folder.path}/outside`;
    mkdirSync(outside);
    writeFileSync(`${outside}/file`, "untouched");
    put("climb.tar", await tar({ "bin/sh": "", "../../../escaped": "x" }));
    expect(await codeOf(image("climb"))).toBe("runtime.archive-bad");
    const links = {
      "bin/sh": "",
      away: { type: "symlink" as const, linkname: outside },
      "away/planted": "x",
      up: { type: "symlink" as const, linkname: "../../../../../../../.." },
      [`up${outside}/planted-too`]: "x",
      aimed: { type: "symlink" as const, linkname: `${outside}/file` },
      "aimed ": "",
    };
    const withWrite = Buffer.concat([
      (await tar(links)).subarray(0, -1024),
      await tar({ aimed: "overwritten", stolen: { type: "link", linkname: `${outside}/file` } }).catch(() =>
        Buffer.alloc(1024),
      ),
    ]);
    put("links.tar", withWrite);
    const { root } = await image("links").catch(() => ({ root: "" }));
    expect(readdirSync(outside)).toEqual(["file"]);
    expect(readFileSync(`${outside}/file`, "utf8")).toBe("untouched");
    if (root !== "") {
      expect(lstatSync(`${root}/aimed`).isFile()).toBe(true);
      expect(existsSync(`${folder.path}/planted`)).toBe(false);
    }
    put(
      "white.tar",
      await tar({
        "manifest.json": JSON.stringify([{ Config: "c", Layers: ["l"] }]),
        c: "{}",
        l: await tar({
          away: { type: "symlink", linkname: outside },
          "away/.wh.file": "",
          ".wh...": "",
          "away/.wh..wh..opq": "",
        }),
      }),
    );
    await image("white").catch(() => undefined);
    expect(readdirSync(outside)).toEqual(["file"]);
    put("manifest.tar", await tar({ "manifest.json": { type: "symlink", linkname: "/etc/passwd" } }));
    expect(await codeOf(image("manifest"))).toBe("runtime.image-bad");
  });

  test("says what is wrong with a file that is no image, and leaves no half of it", async () => {
    put("text.tar", Buffer.from("this is no archive, but long enough to be read as one".repeat(40)));
    expect(await codeOf(image("text"))).toBe("runtime.archive-bad");
    put("notes.tar", await tar({ "readme.txt": "x" }));
    expect(await codeOf(image("notes"))).toBe("runtime.image-bad");
    put("cut.tar", gzipSync(await tar({ "bin/sh": "x".repeat(9_999) })).subarray(0, 60));
    expect(await codeOf(image("cut"))).toBe("runtime.archive-bad");
    put("squeezed.tar", Buffer.from("fd377a585a0000", "hex"));
    expect(await codeOf(image("squeezed"))).toBe("runtime.image-bad");
    expect(await codeOf(image("nosuch"))).toBe("runtime.image-absent");
    expect(await codeOf(image("../images/text.tar"))).toBe("runtime.image-absent");
    expect(readdirSync(paths().images).filter((name) => name !== "digests")).toEqual([]);
  });

  test.skipIf(!requires("busybox"))("makes busybox from the host's, with its applets", async () => {
    const { root, config: read } = await image("busybox:latest");
    expect(lstatSync(`${root}/bin/sh`).isSymbolicLink()).toBe(true);
    expect(readFileSync(`${root}/etc/passwd`, "utf8")).toContain("root:x:0:0");
    expect(statSync(`${root}/tmp`).mode & 0o7777).toBe(0o1777);
    expect(read.command[0]).toBe("sh");
  });
});

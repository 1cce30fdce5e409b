/** How `docker save` and the OCI image layout keep an image in files. */
import { existsSync, readFileSync, realpathSync } from "node:fs";
import { arch } from "node:process";
import { YardError } from "@switchyard/base";
import { type ImageConfig, NO_CONFIG } from "./types.ts";

/** A file that is called by its digest. */
export interface Blob {
  readonly file: string;
  readonly algorithm: string;
  /** Hexadecimal. */
  readonly digest: string;
}

export interface ArchiveContent {
  /** All that the image is made of, in the OCI layout. */
  readonly blobs: readonly Blob[];
  /** Paths of the layers' archives, the lowest first. */
  readonly layers: readonly string[];
  /** The image's configuration, JSON. */
  readonly config: string | undefined;
}

/**
 * The parts of an image in an unpacked archive.
 *
 * @returns undefined when it is no image: then it is a plain root file system
 * @throws YardError `runtime.image-bad`
 */
export function archiveContent(folder: string): ArchiveContent | undefined {
  if (existsSync(`${folder}/manifest.json`)) return dockerSave(folder);
  if (existsSync(`${folder}/index.json`) && existsSync(`${folder}/oci-layout`)) return ociLayout(folder);
  return undefined;
}

function dockerSave(folder: string): ArchiveContent {
  const [first, ...others] = list(json(folder, "manifest.json")).map(fields);
  if (first === undefined || others.length > 0)
    throw bad(folder, `the archive holds ${others.length === 0 ? "no image" : "several images"}`);
  return {
    blobs: [],
    layers: strings(first.Layers).map((path) => inside(folder, path)),
    config: typeof first.Config === "string" ? readFileSync(inside(folder, first.Config), "utf8") : undefined,
  };
}

const ARCHITECTURES: Readonly<Record<string, string>> = { x64: "amd64", arm64: "arm64" };

function ociLayout(folder: string): ArchiveContent {
  const descriptors = list(fields(json(folder, "index.json")).manifests).map(fields);
  const own = descriptors.find(
    ({ platform }) => platform === undefined || fields(platform).architecture === ARCHITECTURES[arch],
  );
  if (own === undefined) throw bad(folder, "the archive has no image for this processor");
  const manifest = fields(json(folder, blob(own.digest, folder)));
  // An index may point to a further index, one for each platform.
  if (manifest.manifests !== undefined) {
    const inner = list(manifest.manifests)
      .map(fields)
      .find(({ platform }) => fields(platform).architecture === ARCHITECTURES[arch]);
    if (inner === undefined) throw bad(folder, "the archive has no image for this processor");
    return ociManifest(folder, fields(json(folder, blob(inner.digest, folder))), [own.digest, inner.digest]);
  }
  return ociManifest(folder, manifest, [own.digest]);
}

function ociManifest(folder: string, manifest: Fields, above: readonly unknown[]): ArchiveContent {
  const layers = list(manifest.layers).map((layer) => fields(layer).digest);
  const config = fields(manifest.config).digest;
  const file = (digest: unknown) => inside(folder, blob(digest, folder));
  return {
    blobs: [...above, config, ...layers].map((digest) => {
      const [, algorithm = "", hex = ""] = DIGEST.exec(String(digest)) ?? [];
      return { file: file(digest), algorithm, digest: hex };
    }),
    layers: layers.map(file),
    config: readFileSync(file(config), "utf8"),
  };
}

/** The digests of the layers as they are unpacked, the lowest first; none where the configuration does not tell. */
export function layerIds(config: string | undefined): readonly string[] {
  return config === undefined ? [] : strings(fields(fields(JSON.parse(config)).rootfs).diff_ids);
}

/** What an image's configuration says of running it; the same fields in Docker's and the OCI's form. */
export function readConfig(text: string | undefined): ImageConfig {
  if (text === undefined) return NO_CONFIG;
  const config = fields(fields(JSON.parse(text)).config);
  const env = strings(config.Env).map((entry): [string, string] => {
    const cut = entry.indexOf("=");
    return cut < 0 ? [entry, ""] : [entry.slice(0, cut), entry.slice(cut + 1)];
  });
  return {
    env: Object.fromEntries(env),
    entrypoint: strings(config.Entrypoint),
    command: strings(config.Cmd),
    user: typeof config.User === "string" && config.User !== "" ? config.User : undefined,
    workdir: typeof config.WorkingDir === "string" && config.WorkingDir !== "" ? config.WorkingDir : "/",
  };
}

const DIGEST = /^(sha256|sha512):([0-9a-f]{64}|[0-9a-f]{128})$/;

/** `sha256:<hex>` as a path in the layout. */
function blob(digest: unknown, folder: string): string {
  const match = typeof digest === "string" ? DIGEST.exec(digest) : null;
  if (match === null) throw bad(folder, `${JSON.stringify(digest)} is no digest`);
  return `blobs/${match[1]}/${match[2]}`;
}

/** A path that the archive names, checked to be one of its own plain files. */
function inside(folder: string, path: string): string {
  if (path.startsWith("/") || path.split("/").includes("..")) throw bad(folder, `it names ${JSON.stringify(path)}`);
  if (!existsSync(`${folder}/${path}`)) throw bad(folder, `it lacks ${path}`);
  // Older `docker save` links equal layers to one another; a link may not lead elsewhere.
  const real = realpathSync(`${folder}/${path}`);
  if (!real.startsWith(`${realpathSync(folder)}/`)) throw bad(folder, `${path} links to the outside`);
  return real;
}

function json(folder: string, path: string): unknown {
  try {
    return JSON.parse(readFileSync(inside(folder, path), "utf8"));
  } catch (cause) {
    if (cause instanceof YardError) throw cause;
    throw bad(folder, `${path} cannot be read`, cause);
  }
}

function bad(folder: string, problem: string, cause?: unknown): YardError {
  return new YardError("runtime.image-bad", `the image is not understood: ${problem}`, { where: folder, cause });
}

type Fields = Readonly<Record<string, unknown>>;
function fields(value: unknown): Fields {
  return typeof value === "object" && value !== null ? { ...value } : {};
}
function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
function strings(value: unknown): string[] {
  return list(value).filter((item) => typeof item === "string");
}

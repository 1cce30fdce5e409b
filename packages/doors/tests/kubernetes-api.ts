/**
 * A stand-in for the API of Kubernetes, by its documents: TLS with a certificate of its own, bearer tokens, the rights
 * that deploy/rbac.yaml gives, nodes and pods with versions, JSON patches (RFC 6902) and merge patches (RFC 7396).
 */
import { readFileSync, writeFileSync } from "node:fs";
import { run } from "@switchyard/base";
import { parseAllDocuments } from "yaml";
import { z } from "zod";

export interface StandIn extends AsyncDisposable {
  readonly url: string;
  readonly host: string;
  readonly port: number;
  /** Of the one who is allowed what the manifest says. */
  readonly token: string;
  /** PEM, in a file. */
  readonly certificates: string;
  readonly kubeconfig: string;
  /** What was asked, `PATCH /api/v1/nodes/n1/status`. */
  readonly asked: string[];
  addNode(name: string, capacity: Readonly<Record<string, string>>): void;
  capacity(name: string): Readonly<Record<string, string>>;
  /** As kubelet does. */
  setCapacity(name: string, capacity: Readonly<Record<string, string>>): void;
  addPod(pod: string, spec: object, annotations?: Readonly<Record<string, string>>): void;
  annotations(pod: string): Readonly<Record<string, string>>;
  removePod(pod: string): void;
  /** Called once between the next read of a pod and its answer's arrival: somebody else is quicker. */
  meanwhile(change: () => void): void;
  /** Resolves after the next change that a client makes. */
  changed(): Promise<void>;
  annotate(pod: string, annotations: Readonly<Record<string, string>>): void;
  /** A kubeconfig with other words in it. @returns its path */
  otherKubeconfig(name: string, change: (text: string) => string): string;
}

interface Thing {
  readonly kind: "Node" | "Pod";
  readonly metadata: Record<string, unknown> & { resourceVersion: string; annotations: Record<string, string> };
  readonly spec: unknown;
  readonly status: { capacity?: Record<string, string> };
}

const Rules = z.array(z.object({ resources: z.array(z.string()), verbs: z.array(z.string()) }));
const Merge = z.object({
  metadata: z.object({
    resourceVersion: z.string().optional(),
    annotations: z.record(z.string(), z.string().nullable()),
  }),
});
const Patch = z.array(z.object({ op: z.enum(["add", "remove"]), path: z.string(), value: z.string().optional() }));
const manifest = new URL("../../../deploy/rbac.yaml", import.meta.url).pathname;

export async function kubernetesStandIn(folder: string): Promise<StandIn> {
  const file = (name: string) => `${folder}/${name}`;
  await certificates(folder);
  const token = "the-token-of-the-service-account";
  const rules = allowed();
  const things = new Map<string, Thing>();
  const asked: string[] = [];
  let version = 1;
  let inBetween: (() => void) | undefined;
  let change = Promise.withResolvers<void>();
  const touch = (thing: Thing) => {
    thing.metadata.resourceVersion = `${version++}`;
  };
  const find = (key: string): Thing => {
    const thing = things.get(key);
    if (thing === undefined) throw new Error(`the stand-in has no ${key}`);
    return thing;
  };
  const add = (key: string, thing: Omit<Thing, "metadata">, metadata: object) => {
    const made = { ...thing, metadata: { annotations: {}, ...metadata, resourceVersion: "" } };
    touch(made);
    things.set(key, made);
  };
  const answer = async (request: Request): Promise<Response> => {
    const { pathname } = new URL(request.url);
    asked.push(`${request.method} ${pathname}`);
    const given = request.headers.get("authorization");
    if (given !== `Bearer ${token}` && given !== "Bearer of-another") return status(401, "Unauthorized");
    const [, namespace, kind = "", name = "", sub] =
      /^\/api\/v1\/(?:namespaces\/([^/]+)\/)?(nodes|pods)\/([^/]+)(\/status)?$/.exec(pathname) ?? [];
    const verb = request.method === "GET" ? "get" : request.method.toLowerCase();
    const resource = `${kind}${sub ?? ""}`;
    const may = rules.some(({ resources, verbs }) => resources.includes(resource) && verbs.includes(verb));
    if (given === "Bearer of-another" || !may)
      return status(403, `${kind} "${name}" is forbidden: User cannot ${verb} resource "${resource}"`);
    const key = namespace === undefined ? name : `${namespace}/${name}`;
    const thing = things.get(key);
    if (thing === undefined) return status(404, `${kind} "${name}" not found`);
    if (verb === "get") {
      const body = JSON.stringify({ apiVersion: "v1", ...thing });
      inBetween?.();
      inBetween = undefined;
      return new Response(body, { headers: { "content-type": "application/json" } });
    }
    const type = request.headers.get("content-type");
    const body: unknown = await request.json();
    if (type === "application/merge-patch+json") {
      const { metadata } = Merge.parse(body);
      if (metadata.resourceVersion !== undefined && metadata.resourceVersion !== thing.metadata.resourceVersion)
        return status(409, "the object has been modified; please apply your changes to the latest version");
      for (const [one, value] of Object.entries(metadata.annotations))
        if (value === null) delete thing.metadata.annotations[one];
        else thing.metadata.annotations[one] = value;
    } else if (type === "application/json-patch+json") {
      const capacity = { ...thing.status.capacity };
      for (const { op, path, value } of Patch.parse(body)) {
        const [, name = ""] = /^\/status\/capacity\/([^/]+)$/.exec(path) ?? [];
        const member = name.replaceAll("~1", "/").replaceAll("~0", "~");
        if (member === "" || (op === "remove" && !(member in capacity)))
          return status(422, `the server rejected our request due to an error in our request: ${path}`);
        // A quantity is told in its shortest form.
        if (op === "add") capacity[member] = (value ?? "").replace(/000$/, "k");
        else delete capacity[member];
      }
      thing.status.capacity = capacity;
    } else return status(415, `the body of the request was in an unknown format: ${type}`);
    touch(thing);
    change.resolve();
    change = Promise.withResolvers();
    return Response.json({ apiVersion: "v1", ...thing });
  };
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    tls: { key: readFileSync(file("api.key")), cert: readFileSync(file("api.crt")) },
    fetch: answer,
  });
  const url = `https://127.0.0.1:${server.port}`;
  const config = (data: string) =>
    [
      "apiVersion: v1",
      "kind: Config",
      "current-context: test",
      "contexts: [{name: test, context: {cluster: c, user: u}}]",
      `clusters: [{name: c, cluster: {server: "${url}", certificate-authority: "${file("ca.crt")}"}}]`,
      `users: [{name: u, user: {token: "${data}"}}]`,
      "",
    ].join("\n");
  writeFileSync(file("kubeconfig"), config(token));
  return {
    url,
    host: "127.0.0.1",
    port: server.port ?? 0,
    token,
    certificates: file("ca.crt"),
    kubeconfig: file("kubeconfig"),
    asked,
    addNode: (name, capacity) => add(name, { kind: "Node", spec: {}, status: { capacity: { ...capacity } } }, { name }),
    capacity: (name) => find(name).status.capacity ?? {},
    setCapacity(name, capacity) {
      find(name).status.capacity = { ...capacity };
      touch(find(name));
    },
    addPod(pod, spec, annotations = {}) {
      const [namespace, name] = pod.split("/");
      const uid = "11111111-2222-3333-4444-555555555555";
      add(pod, { kind: "Pod", spec, status: {} }, { namespace, name, uid, annotations: { ...annotations } });
    },
    annotations: (pod) => find(pod).metadata.annotations,
    removePod: (pod) => void things.delete(pod),
    meanwhile(change) {
      inBetween = change;
    },
    changed: () => change.promise,
    annotate(pod, annotations) {
      Object.assign(find(pod).metadata.annotations, annotations);
      touch(find(pod));
    },
    otherKubeconfig(name, change) {
      writeFileSync(file(name), change(config(token)));
      return file(name);
    },
    [Symbol.asyncDispose]: async () => void (await server.stop(true)),
  };
}

/** The rules of the manifest's role. */
function allowed(): z.infer<typeof Rules> {
  const documents = parseAllDocuments(readFileSync(manifest, "utf8")).map((document): unknown => document.toJS());
  return documents.flatMap((document) => {
    const role = z.object({ kind: z.literal("ClusterRole"), rules: Rules }).safeParse(document);
    return role.success ? role.data.rules : [];
  });
}

/** An authority and a certificate of the API by it. */
async function certificates(folder: string): Promise<void> {
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  const file = (name: string) => `${folder}/${name}`;
  await run([
    "openssl",
    "req",
    "-x509",
    ...key,
    "-keyout",
    file("ca.key"),
    "-out",
    file("ca.crt"),
    "-days",
    "2",
    "-subj",
    "/CN=test cluster",
  ]);
  await run(["openssl", "req", ...key, "-keyout", file("api.key"), "-out", file("api.csr"), "-subj", "/CN=kubernetes"]);
  writeFileSync(file("names"), "subjectAltName=IP:127.0.0.1");
  await run([
    "openssl",
    "x509",
    "-req",
    "-in",
    file("api.csr"),
    "-CA",
    file("ca.crt"),
    "-CAkey",
    file("ca.key"),
    "-CAcreateserial",
    "-days",
    "2",
    "-extfile",
    file("names"),
    "-out",
    file("api.crt"),
  ]);
}

function status(code: number, message: string): Response {
  return Response.json({ kind: "Status", apiVersion: "v1", status: "Failure", message, code }, { status: code });
}

/**
 * The Kubernetes API as far as nodes and pods concern us: three reads and writes of the project's own client, over the
 * `fetch` of this runtime. (The client's own transport, undici, is one that Bun replaces with a likeness that takes
 * neither a cluster's certificates nor ours.) It is loaded with the first use: no other command pays for it.
 */
import { existsSync } from "node:fs";
import type { RequestOptions } from "node:https";
import { join } from "node:path";
import type { KubeConfig, V1Node, V1Pod } from "@kubernetes/client-node";
import { asYardError, YardError } from "@switchyard/base";

/** An operation of RFC 6902. */
export type PatchOperation =
  | { readonly op: "add"; readonly path: string; readonly value: unknown }
  | { readonly op: "remove"; readonly path: string };

/** Whether it can be the name of a node, a pod or a namespace (RFC 1123). */
export function isKubernetesName(text: string): boolean {
  return /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/.test(text);
}

export interface PodRef {
  readonly namespace: string;
  readonly name: string;
}

/** @throws YardError `kubernetes.unreachable`, `kubernetes.refused`, `kubernetes.not-found`, `kubernetes.failed`, all of them */
export interface Kubernetes {
  readNode(name: string): Promise<V1Node>;
  patchNodeStatus(name: string, operations: readonly PatchOperation[]): Promise<void>;
  readPod(pod: PodRef): Promise<V1Pod>;
  /**
   * Merges into metadata of a pod, by its status, which is the lesser right.
   *
   * @returns false: the pod is not the one of that version any more, and nothing was done
   */
  annotatePod(pod: PodRef, version: string, annotations: Readonly<Record<string, string | null>>): Promise<boolean>;
}

/** Where a pod finds its service account: `token`, `ca.crt` and `namespace`. */
export const SERVICE_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount";

export interface KubernetesOptions {
  /** A kubeconfig; undefined: the service account of the pod that this runs in, else `~/.kube/config`. */
  readonly kubeconfig: string | undefined;
  readonly env: NodeJS.ProcessEnv;
  /** In place of {@link SERVICE_ACCOUNT}. */
  readonly serviceAccount?: string;
  readonly signal?: AbortSignal;
  /** Milliseconds that a request may take; 10,000 by default. */
  readonly timeout?: number;
}

/** Nothing is asked yet. @throws YardError `kubernetes.no-config` */
export async function openKubernetes(options: KubernetesOptions): Promise<Kubernetes> {
  const client = await import("@kubernetes/client-node");
  const { ApiException, CoreV1Api, PatchStrategy, ResponseContext, setHeaderOptions } = client;
  const config = new client.KubeConfig();
  const server = load(config, options);
  const api = new CoreV1Api(
    client.createConfiguration({
      baseServer: new client.ServerConfiguration(server, {}),
      httpApi: client.wrapHttpLibrary({
        async send(request) {
          const body = request.getBody();
          const response = await send(config, server, options, request.getUrl(), {
            method: request.getHttpMethod(),
            headers: request.getHeaders(),
            ...(typeof body === "string" ? { body } : {}),
          });
          const bytes = Buffer.from(await response.arrayBuffer());
          return new ResponseContext(response.status, Object.fromEntries(response.headers), {
            text: async () => bytes.toString("utf8"),
            binary: async () => bytes,
            stream: () => new Response(bytes).body,
          });
        },
      }),
    }),
  );
  const told = async <R>(what: string, work: () => Promise<R>): Promise<R> => {
    try {
      return await work();
    } catch (thrown) {
      throw thrown instanceof ApiException ? refusal(what, server, thrown.code, thrown.body) : thrown;
    }
  };
  const json = setHeaderOptions("Content-Type", PatchStrategy.JsonPatch);
  const merge = setHeaderOptions("Content-Type", PatchStrategy.MergePatch);
  return {
    readNode: (name) => told(`node ${name}`, () => api.readNode({ name })),
    patchNodeStatus: (name, body) =>
      told(`the status of node ${name}`, async () => void (await api.patchNodeStatus({ name, body }, json))),
    readPod: ({ namespace, name }) =>
      told(`pod ${namespace}/${name}`, () => api.readNamespacedPod({ namespace, name })),
    async annotatePod({ namespace, name }, resourceVersion, annotations) {
      const body = { metadata: { resourceVersion, annotations } };
      try {
        await api.patchNamespacedPodStatus({ namespace, name, body }, merge);
        return true;
      } catch (thrown) {
        if (!(thrown instanceof ApiException)) throw thrown;
        if (thrown.code === 409) return false;
        throw refusal(`the status of pod ${namespace}/${name}`, server, thrown.code, thrown.body);
      }
    },
  };
}

/** @returns the server */
function load(config: KubeConfig, options: KubernetesOptions): string {
  const { kubeconfig, env, serviceAccount = SERVICE_ACCOUNT } = options;
  const home = join(env.HOME ?? "/root", ".kube/config");
  const cluster = kubeconfig === undefined ? clusterServer(env) : undefined;
  const file = kubeconfig ?? (existsSync(home) ? home : undefined);
  if (cluster === undefined && file === undefined)
    throw new YardError("kubernetes.no-config", "nothing says where the Kubernetes API is", {
      hint: "name a kubeconfig, or run in a pod with a service account",
    });
  const where = cluster === undefined ? `${file}` : `the service account in ${serviceAccount}`;
  try {
    if (cluster === undefined) config.loadFromFile(file ?? home);
    else
      config.loadFromOptions({
        clusters: [{ name: "cluster", server: cluster, caFile: join(serviceAccount, "ca.crt") }],
        // Kubelet renews the token, and the client reads it again.
        users: [
          { name: "user", authProvider: { name: "tokenFile", config: { tokenFile: join(serviceAccount, "token") } } },
        ],
        contexts: [{ name: "context", cluster: "cluster", user: "user" }],
        currentContext: "context",
      });
  } catch (cause) {
    throw new YardError("kubernetes.no-config", `${where} cannot be read: ${asYardError(cause).message}`, { cause });
  }
  const server = config.getCurrentCluster()?.server;
  if (server === undefined || !URL.canParse(server))
    throw new YardError("kubernetes.no-config", `${where} has no current context with a cluster`, {
      hint: "kubectl config use-context NAME",
    });
  return server;
}

/** What kubelet tells every pod, in its environment; undefined outside. */
export function clusterServer({
  KUBERNETES_SERVICE_HOST,
  KUBERNETES_SERVICE_PORT,
}: NodeJS.ProcessEnv): string | undefined {
  if (KUBERNETES_SERVICE_HOST === undefined || KUBERNETES_SERVICE_HOST === "") return undefined;
  const host = KUBERNETES_SERVICE_HOST.includes(":") ? `[${KUBERNETES_SERVICE_HOST}]` : KUBERNETES_SERVICE_HOST;
  return `https://${host}:${KUBERNETES_SERVICE_PORT || "443"}`;
}

async function send(
  config: KubeConfig,
  server: string,
  { signal, timeout = 10_000 }: KubernetesOptions,
  url: string,
  init: { readonly method: string; readonly headers: Readonly<Record<string, string>>; readonly body?: string },
): Promise<Response> {
  const given: RequestOptions = {};
  try {
    await config.applyToHTTPSOptions(given);
  } catch (cause) {
    throw new YardError(
      "kubernetes.no-config",
      `there are no credentials for ${server}: ${asYardError(cause).message}`,
      {
        cause,
      },
    );
  }
  const { ca, cert, key, rejectUnauthorized, auth } = given;
  const serverName = config.getCurrentCluster()?.tlsServerName;
  const proxy = config.getCurrentCluster()?.proxyUrl;
  const limit = AbortSignal.timeout(timeout);
  try {
    return await fetch(url, {
      ...init,
      headers: {
        ...init.headers,
        ...textual(given.headers),
        ...(auth ? { Authorization: `Basic ${Buffer.from(auth).toString("base64")}` } : {}),
      },
      signal: signal === undefined ? limit : AbortSignal.any([signal, limit]),
      tls: {
        ...(ca === undefined ? {} : { ca: text(ca) }),
        ...(cert === undefined ? {} : { cert: text(cert) }),
        ...(key === undefined ? {} : { key: text(key) }),
        ...(rejectUnauthorized === undefined ? {} : { rejectUnauthorized }),
        ...(serverName === undefined ? {} : { serverName }),
      },
      ...(proxy === undefined ? {} : { proxy }),
    });
  } catch (cause) {
    signal?.throwIfAborted();
    const why = limit.aborted ? `no answer within ${timeout / 1000} s` : asYardError(cause).message;
    throw new YardError("kubernetes.unreachable", `the Kubernetes API at ${server} does not answer: ${why}`, { cause });
  }
}

/** What the client gives is of the many types that Node takes; of files and base64 it makes text or bytes. */
function text(pem: NonNullable<RequestOptions["ca"] | RequestOptions["key"]>): string {
  return [pem]
    .flat()
    .map((one) => (Buffer.isBuffer(one) ? one.toString("utf8") : String(one)))
    .join("\n");
}

function textual(headers: RequestOptions["headers"]): Record<string, string> {
  return Object.fromEntries(Object.entries(headers ?? {}).map(([name, value]) => [name, String(value)]));
}

function refusal(what: string, server: string, status: number, body: unknown): YardError {
  const why = reason(body) ?? `status ${status}`;
  const where = server;
  switch (status) {
    case 401:
      return new YardError("kubernetes.refused", `the Kubernetes API does not know who asks for ${what}: ${why}`, {
        where,
        hint: "the token or certificate is none of this cluster, or has expired",
      });
    case 403:
      return new YardError("kubernetes.refused", `the Kubernetes API does not allow ${what}: ${why}`, {
        where,
        hint: "deploy/rbac.yaml has the rights that are needed",
      });
    case 404:
      return new YardError("kubernetes.not-found", `the Kubernetes API has no ${what.replace(/^the status of /, "")}`, {
        where,
      });
    default:
      return new YardError("kubernetes.failed", `the Kubernetes API refused ${what}: ${why}`, { where });
  }
}

/** `message` of a Status, which comes as text or read. */
function reason(body: unknown): string | undefined {
  let value = body;
  try {
    if (typeof body === "string") value = JSON.parse(body);
  } catch {
    return undefined;
  }
  if (typeof value !== "object" || value === null || !("message" in value)) return undefined;
  return typeof value.message === "string" ? value.message : undefined;
}

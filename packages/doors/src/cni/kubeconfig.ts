/** A kubeconfig of a pod's service account, for the plugin, which runs outside of the pod. */
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { asYardError, YardError } from "@switchyard/base";
import { clusterServer, SERVICE_ACCOUNT } from "./kubernetes.ts";

/**
 * Writes it if it would say something new: kubelet renews a service account's token within its hour, so it is to be called
 * again and again.
 *
 * @param file gets mode 0600, in one step for who reads it
 * @throws YardError `kubernetes.no-config`, `cni.io`
 */
export function writeKubeconfig(file: string, env: NodeJS.ProcessEnv, serviceAccount = SERVICE_ACCOUNT): void {
  const server = clusterServer(env);
  if (server === undefined)
    throw new YardError("kubernetes.no-config", "this is no pod, whose service account could be handed on");
  let [token, certificates] = ["", Buffer.alloc(0)];
  try {
    token = readFileSync(join(serviceAccount, "token"), "utf8").trim();
    certificates = readFileSync(join(serviceAccount, "ca.crt"));
  } catch (cause) {
    throw new YardError("kubernetes.no-config", `the pod has no service account: ${asYardError(cause).message}`, {
      cause,
      hint: "give it one, and leave automountServiceAccountToken as it is",
    });
  }
  // JSON is YAML.
  const text = `${JSON.stringify(
    {
      apiVersion: "v1",
      kind: "Config",
      clusters: [
        { name: "cluster", cluster: { server, "certificate-authority-data": certificates.toString("base64") } },
      ],
      users: [{ name: "switchyard", user: { token } }],
      contexts: [{ name: "switchyard", context: { cluster: "cluster", user: "switchyard" } }],
      "current-context": "switchyard",
    },
    undefined,
    2,
  )}\n`;
  const fresh = `${file}.new`;
  try {
    if (holds(file, text)) return;
    mkdirSync(dirname(file), { recursive: true, mode: 0o755 });
    rmSync(fresh, { force: true });
    writeFileSync(fresh, text, { mode: 0o600 });
    renameSync(fresh, file);
  } catch (cause) {
    throw new YardError("cni.io", `${file} cannot be written: ${asYardError(cause).message}`, { cause });
  }
}

function holds(file: string, text: string): boolean {
  try {
    return readFileSync(file, "utf8") === text;
  } catch {
    return false;
  }
}

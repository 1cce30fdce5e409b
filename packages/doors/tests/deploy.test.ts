import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import * as kubernetes from "@kubernetes/client-node";
import { run } from "@switchyard/base";
import { parse, parseAllDocuments } from "yaml";
import { z } from "zod";
import { PLUGIN_TYPES, runPlugin } from "../src/cni/mod.ts";

const root = new URL("../../..", import.meta.url).pathname;
const executable = `${root}dist/yard`;

const Named = z.looseObject({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: z.looseObject({ name: z.string() }),
});
type Named = z.infer<typeof Named>;

const Container = z.looseObject({ image: z.string(), command: z.array(z.string()) });
const PodSpec = z.looseObject({ containers: z.array(Container), initContainers: z.array(Container).default([]) });

function read(file: string): Named[] {
  const documents = parseAllDocuments(readFileSync(`${root}deploy/${file}`, "utf8"));
  return documents.map((document) => {
    expect(document.errors).toEqual([]);
    return Named.parse(document.toJS({ maxAliasCount: 10 }));
  });
}

/** What of a value the API's own description (the client's models are made of it) does not know. */
function unknownTo(type: string, value: unknown, at: string): string[] {
  const list = /^Array<(.*)>$/.exec(type)?.[1];
  if (list !== undefined)
    return Array.isArray(value)
      ? value.flatMap((one: unknown, index) => unknownTo(list, one, `${at}[${index}]`))
      : [`${at} is no list`];
  const model: unknown = Object.entries(kubernetes).find(([name]) => name === type)?.[1];
  if (typeof model !== "function" || !("getAttributeTypeMap" in model)) return [];
  if (typeof model.getAttributeTypeMap !== "function" || typeof value !== "object" || value === null)
    return [`${at} is no ${type}`];
  const attributes = z.array(z.object({ baseName: z.string(), type: z.string() })).parse(model.getAttributeTypeMap());
  return Object.entries(value).flatMap(([name, member]) => {
    const attribute = attributes.find(({ baseName }) => baseName === name);
    return attribute === undefined
      ? [`${at}.${name} is not known`]
      : unknownTo(attribute.type, member, `${at}.${name}`);
  });
}

function podSpecs(documents: readonly Named[]): z.infer<typeof PodSpec>[] {
  return documents.flatMap((document) => {
    if (document.kind === "Pod") return [PodSpec.parse(document.spec)];
    const set = z.looseObject({ template: z.looseObject({ spec: PodSpec }) }).safeParse(document.spec);
    return set.success ? [set.data.template.spec] : [];
  });
}

describe("the manifests for Kubernetes", () => {
  const files = ["rbac.yaml", "daemonset.yaml", "networks.yaml", "pods.yaml"];
  const all = files.flatMap(read);

  test("have nothing in them that the API does not know", () => {
    const kinds = all.map(({ kind }) => kind);
    expect(new Set(kinds)).toEqual(
      new Set([
        "ServiceAccount",
        "ClusterRole",
        "ClusterRoleBinding",
        "DaemonSet",
        "NetworkAttachmentDefinition",
        "Pod",
      ]),
    );
    const own = all.filter(({ kind }) => kind !== "NetworkAttachmentDefinition");
    expect(own.flatMap((one) => unknownTo(`V1${one.kind}`, one, `${one.kind} ${one.metadata.name}`))).toEqual([]);
    // It would be seen.
    expect(unknownTo("V1Pod", { spec: { containers: [{ imag: "x" }] } }, "Pod")).toEqual([
      "Pod.spec.containers[0].imag is not known",
    ]);
    const kustomization = parse(readFileSync(`${root}deploy/kustomization.yaml`, "utf8"));
    expect(kustomization).toMatchObject({ kind: "Kustomization", resources: ["rbac.yaml", "daemonset.yaml"] });
  });

  test("name images that are built here, and commands and options that there are", async () => {
    const containers = podSpecs(all).flatMap((spec) => [...spec.initContainers, ...spec.containers]);
    expect(containers).toHaveLength(4);
    for (const { image } of containers)
      expect([image, image.includes(":") || existsSync(`${root}images/${image}/Dockerfile`)]).toEqual([image, true]);
    const ours = containers.filter(({ command }) => command[0] === "yard");
    expect(ours.map(({ command }) => command.slice(0, 3).join(" "))).toEqual(["yard cni install", "yard cni marker"]);
    for (const { command } of ours) {
      const help = await run([executable, ...command.slice(1, 3), "--help"]);
      for (const option of command.filter((word) => word.startsWith("--"))) expect(help).toContain(`${option} `);
    }
  });

  test("have networks in every dialect that the plugin takes as they are", async () => {
    const networks = all.filter(({ kind }) => kind === "NetworkAttachmentDefinition");
    const types: string[] = [];
    for (const { spec, metadata } of networks) {
      const { config } = z.object({ config: z.string() }).parse(spec);
      const network = z.looseObject({ type: z.enum(PLUGIN_TYPES) }).parse(JSON.parse(config));
      types.push(network.type);
      // Multus gives a network without a name that of its definition.
      const log: string[] = [];
      const asked = { seen: false };
      const { output } = await runPlugin({
        type: network.type,
        env: {
          CNI_COMMAND: "ADD",
          CNI_CONTAINERID: "c",
          CNI_IFNAME: "net1",
          CNI_NETNS: "/run/netns/none",
          CNI_PATH: "/",
        },
        input: async () => JSON.stringify({ name: metadata.name, ...network }),
        warn: (line) => void log.push(line),
        placeOf() {
          asked.seen = true;
          throw new Error("read");
        },
      });
      // What is read without a word goes on to the switch.
      expect([log, asked.seen, JSON.parse(output).msg]).toEqual([[], true, "read"]);
    }
    expect(types).toEqual(["switchyard", "ovs", "userspace"]);
  });
});

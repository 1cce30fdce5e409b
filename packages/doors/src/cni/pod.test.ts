import { describe, expect, test } from "bun:test";
import { marks } from "./marker.ts";
import { sharedVolume } from "./pod.ts";

describe("a pod's place for vhost-user sockets", () => {
  const pod = (volume: object, mounts: readonly { readonly name: string; readonly mountPath: string }[] = []) => ({
    metadata: { uid: "0a1b-2c" },
    spec: {
      volumes: [
        { name: "other", emptyDir: {} },
        { name: "shared-dir", ...volume },
      ],
      containers: [{ name: "first" }, { name: "second", volumeMounts: [...mounts] }],
    },
  });

  test("is its volume shared-dir, by its path on the host and in the container", () => {
    const mounts = [
      { name: "other", mountPath: "/other" },
      { name: "shared-dir", mountPath: "/sockets" },
    ];
    expect(sharedVolume(pod({ hostPath: { path: "/srv/sockets" } }, mounts))).toEqual({
      folder: "/srv/sockets",
      mapped: "/sockets",
    });
    expect(sharedVolume(pod({ emptyDir: {} }))).toEqual({
      folder: "/var/lib/kubelet/pods/0a1b-2c/volumes/kubernetes.io~empty-dir/shared-dir",
      mapped: "/var/lib/cni/usrspcni",
    });
  });

  test("is none where it has no such volume, and refused where that can hold none", () => {
    expect(sharedVolume({ metadata: {}, spec: { containers: [] } })).toBeUndefined();
    for (const volume of [{ configMap: {} }, { hostPath: { path: "relative" } }, { hostPath: { path: "/a/../etc" } }])
      expect(() => sharedVolume(pod(volume))).toThrow("can hold no sockets");
  });
});

describe("the marks of a node", () => {
  const br = (name: string) => `ovs.example/${name}`;
  const of = (capacity: Record<string, string> | undefined, ...wanted: string[]) =>
    marks(capacity, wanted, "ovs.example");

  test("are what makes its resources those that are wanted, and nothing where they are", () => {
    expect(of({ cpu: "2", [br("a")]: "1k" }, "a")).toEqual([]);
    expect(of({ [br("a")]: "1k", [br("b")]: "0", "ovs.example.com/c": "1" }, "b", "c")).toEqual([
      { op: "add", path: "/status/capacity/ovs.example~1b", value: "1000" },
      { op: "add", path: "/status/capacity/ovs.example~1c", value: "1000" },
      { op: "remove", path: "/status/capacity/ovs.example~1a" },
    ]);
    expect(of(undefined, "a")).toEqual([
      { op: "add", path: "/status/capacity", value: {} },
      { op: "add", path: "/status/capacity/ovs.example~1a", value: "1000" },
    ]);
    expect(of(undefined)).toEqual([]);
  });
});

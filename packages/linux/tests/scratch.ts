import { createNamespaces, deleteNamespaces } from "../src/mod.ts";

let count = 0;

/** Names of namespaces that no other test uses, deleted when disposed of. */
export function scratchNames(number: number): { readonly names: readonly string[] } & Disposable {
  const batch = count++;
  const names = Array.from({ length: number }, (_, i) => `tlinux_${process.pid}_${batch}_${i}`);
  return { names, [Symbol.dispose]: () => void deleteNamespaces(names) };
}

/** Two namespaces of a test's own, deleted when disposed of. */
export function twoNamespaces(): { readonly a: string; readonly b: string } & Disposable {
  const scratch = scratchNames(2);
  const failures = createNamespaces(scratch.names);
  const [a, b] = scratch.names;
  if (failures.length > 0 || a === undefined || b === undefined) throw new Error(JSON.stringify(failures));
  return { a, b, [Symbol.dispose]: () => scratch[Symbol.dispose]() };
}

/** Runs `body` with each way of doing the work. */
export function withBackend<R>(name: "netlink" | "iproute2", body: () => R): R {
  const before = process.env.SWITCHYARD_NETLINK;
  process.env.SWITCHYARD_NETLINK = name;
  try {
    return body();
  } finally {
    if (before === undefined) delete process.env.SWITCHYARD_NETLINK;
    else process.env.SWITCHYARD_NETLINK = before;
  }
}

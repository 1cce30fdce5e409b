import { expect, test } from "bun:test";
import { YardErrors } from "@switchyard/base";
import { parseLab } from "./parse.ts";

const source = { file: "", environment: {} };
const read = (node: string, networks = "lan: {}") =>
  parseLab(`name: t\nnetworks: { ${networks} }\nnodes:\n  j: { ${node} }\n`, source).lab.nodes[0];

/** What is told of a node, by its code. */
function told(node: string): readonly string[] {
  try {
    read(node);
  } catch (thrown) {
    const errors = thrown instanceof YardErrors ? thrown.errors : [thrown];
    return errors.map((error) => (error instanceof Error && "code" in error ? String(error.code) : String(error)));
  }
  return [];
}

test("a nat has a subnet of either family, or one of each", () => {
  expect(read("kind: nat, cidr: 10.30.0.0/24")).toMatchObject({ cidr: ["10.30.0.0/24"], ports: [] });
  expect(read('kind: nat, cidr: [10.30.0.0/24, "fd00:30::/64"]')).toMatchObject({
    cidr: ["10.30.0.0/24", "fd00:30::/64"],
  });
  for (const cidr of ["10.30.0.0/29", '"fd00:30::/80"', "10.30.0.1/24", "[10.30.0.0/24, 10.31.0.0/24]", "[]"])
    expect(told(`kind: nat, cidr: ${cidr}`)).toEqual(["nat.bad-cidr"]);
});

test("a nat's ports lead to a node, or to an address that it can reach", () => {
  const nat = (ports: string) => `kind: nat, cidr: [10.30.0.0/24, "fd00:30::/64"], ports: [${ports}]`;
  const ports = ["8080:web-1:80", "127.0.0.1:53:10.30.0.7:5353/udp", "[::]:22:[fd00:30::7]:2222"];
  expect(read(nat(ports.map((it) => `"${it}"`).join(", ")))).toMatchObject({
    ports: [
      { address: undefined, hostPort: 8080, nodePort: 80, protocol: "tcp", target: "web-1" },
      { address: "127.0.0.1", hostPort: 53, nodePort: 5353, protocol: "udp", target: "10.30.0.7" },
      { address: "::", hostPort: 22, nodePort: 2222, protocol: "tcp", target: "fd00:30::7" },
    ],
  });
  expect(told(nat('"8080:80"'))).toEqual(["nat.bad-forward"]);
  expect(told(nat('"8080:10.31.0.7:80"'))).toEqual(["nat.target-outside"]);
  expect(told(nat('"8080:a:80", "8080:b:80"'))).toEqual(["port.taken"]);
  expect(told(nat('"0:a:80"'))).toEqual(["port.bad-forward"]);
});

test("a link to another host is encrypted to a public key, which is none of a shape that WireGuard has not", () => {
  const key = "ULAwOtwgs07n8W1LdurzZASV32CunzaUWTOBSqaVyUY=";
  const link = (more: string) => `kind: c2c, peer: 10.2.0.2, id: 7${more}`;
  expect(read(link(""))).toMatchObject({ to: { port: 4789, encrypt: undefined } });
  expect(read(link(`, encrypt: "${key}"`))).toMatchObject({ to: { encrypt: { key, port: 51820 } } });
  expect(read(link(`, encrypt: { key: "${key}", port: 7 }`))).toMatchObject({ to: { encrypt: { key, port: 7 } } });
  for (const bad of ["true", `"${key.slice(1)}"`, '"-----"']) expect(told(link(`, encrypt: ${bad}`))).not.toEqual([]);
  expect(told(link(`, encrypt: "${key}", port: 7`))).toEqual(["c2c.bad-target"]);
  expect(told("kind: c2c, peer: 10.2.0.2, id: 99999999")).toEqual(["lab.out-of-range"]);
  expect(told(`kind: c2c, yard: other, encrypt: "${key}"`)).toEqual(["c2c.bad-target"]);
  const two = (port: number) =>
    `${link(`, encrypt: "${key}"`)} }\n  k: { ${link(`, encrypt: { key: "${key}", port: ${port} }`)}`;
  expect(told(two(51_820))).toEqual(["c2c.port-taken"]);
  expect(told(two(51_821))).toEqual([]);
});

import { expect, test } from "bun:test";
import { now, office } from "../view/office.fixture.ts";
import { renderNode } from "./inspect.ts";
import { renderLabs, renderNetworks, renderPs } from "./ps.ts";
import { coloured, plain } from "./style.ts";

const text = (lines: readonly string[]) => `\n${lines.join("\n")}\n`;

test("ps shows each node with its networks, addresses and ports, and below what has failed", () => {
  expect(text(renderPs(office, now, plain))).toMatchSnapshot();
});

test("ps of an empty yard says so", () => {
  expect(renderPs({ ...office, nodes: [], networks: [] }, now, plain)).toEqual(["no nodes in yard main"]);
});

test("ps colours a state by how bad it is", () => {
  const lines = renderPs(office, now, coloured).join("\n");
  expect(lines).toContain("\x1b[32mrunning\x1b[39m");
  expect(lines).toContain("\x1b[33mpending\x1b[39m");
  expect(lines).toContain("\x1b[31mexited (3)\x1b[39m");
});

test("labs and networks have tables of their own", () => {
  expect(text(renderLabs(office.labs, office.nodes, plain))).toMatchSnapshot();
  expect(text(renderNetworks(office.networks, plain))).toMatchSnapshot();
});

test("inspect shows namespace, process, ports, bridges and VLANs", () => {
  const [web, router] = office.nodes;
  if (web === undefined || router === undefined) throw new Error("the fixture lost its nodes");
  expect(text(renderNode(office, web, now, plain))).toMatchSnapshot();
  expect(text(renderNode(office, router, now, plain))).toMatchSnapshot();
});

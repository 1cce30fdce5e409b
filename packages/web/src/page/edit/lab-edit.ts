/**
 * Changes of a lab file's text, one a gesture. What is not meant stays as it was written: comments, order, quotes, and the
 * way in which lists are written.
 */
import { type Document, isMap, isPair, isScalar, isSeq, parseDocument, YAMLMap, YAMLSeq } from "yaml";
import { asWritten } from "./as-written.ts";

/** Lines are as long as they are. */
const PRINTED = { lineWidth: 0 };

/** Why a gesture has no place in this file, in words. */
export class EditRefused extends Error {}

/** A nic, by its name in its node. */
export interface NicPlace {
  readonly node: string;
  readonly nic: string;
}

/** Values as a lab file writes them, each way; `{}`: none. */
export interface ImpairWritten {
  readonly forward: Readonly<Record<string, string>>;
  readonly backward: Readonly<Record<string, string>>;
}

/** @param spec as the lab file has it: `{kind: "netns"}` */
export function addNode(text: string, name: string, spec: object): string {
  return edited(text, (doc) => {
    if (section(doc, "nodes").has(name)) throw new EditRefused(`the file declares a node ${name} already`);
    section(doc, "nodes").set(doc.createNode(name), doc.createNode(spec));
  });
}

export function addNetwork(text: string, name: string, spec: object): string {
  return edited(text, (doc) => {
    if (section(doc, "networks").has(name)) throw new EditRefused(`the file declares a network ${name} already`);
    section(doc, "networks").set(doc.createNode(name), flow(doc, spec));
  });
}

/** Takes a node away, and the links that end at it. */
export function removeNode(text: string, node: string): string {
  return edited(text, (doc) => {
    nodeOf(doc, node);
    section(doc, "nodes").delete(node);
    removeLinks(doc, (ends) => ends.some((end) => end.split(":")[0] === node));
    removeChecks(doc, node);
  });
}

/** Takes a network away. Nics that are on it are there afterwards, but plugged into nothing. */
export function removeNetwork(text: string, network: string): string {
  return edited(text, (doc) => {
    const networks = doc.get("networks");
    if (!isMap(networks) || !networks.delete(network)) throw new EditRefused(`the file declares no network ${network}`);
    if (networks.items.length === 0) doc.delete("networks");
    const nodes = doc.get("nodes");
    for (const { value } of isMap(nodes) ? nodes.items : [])
      for (const nic of isMap(value) ? nicsIn(value) : [])
        if (networkOf(nic) === network) putNetwork(doc, value, nic, "none");
  });
}

/** Plugs a nic into a network. One that a wire ended at has the wire no more. */
export function attachNic(text: string, { node, nic }: NicPlace, network: string): string {
  return edited(text, (doc) => {
    const entry = nodeOf(doc, node);
    removeLinks(doc, (ends) => ends.includes(`${node}:${nic}`));
    const found = nicsIn(entry).find((it, at) => nicName(it, at) === nic);
    if (found !== undefined) putNetwork(doc, entry, found, network);
    else nicList(doc, entry).add(flow(doc, { name: nic, network }));
  });
}

/** Gives a node one nic more. @param network undefined: it is plugged into nothing */
export function addNic(text: string, node: string, network: string | undefined): string {
  return edited(text, (doc) => {
    const entry = nodeOf(doc, node);
    const spec = network === undefined ? { network: "none" } : { network };
    nicList(doc, entry).add(flow(doc, spec));
  });
}

/** Takes a nic away. Those behind it keep their names, which some have by their place. */
export function removeNic(text: string, { node, nic }: NicPlace): string {
  return edited(text, (doc) => {
    const entry = nodeOf(doc, node);
    removeLinks(doc, (ends) => ends.includes(`${node}:${nic}`));
    const list = entry.get("nics");
    if (!isSeq(list)) return;
    const names = list.items.map(nicName);
    const at = names.indexOf(nic);
    if (at < 0) return;
    for (const [index, name] of names.entries()) if (index > at) asMap(doc, list, index).set("name", name);
    list.delete(at);
  });
}

/** Joins two nics by a wire; they leave what they were on. */
export function addLink(text: string, one: NicPlace, other: NicPlace): string {
  return edited(text, (doc) => {
    const endpoints = [one, other].map(({ node, nic }) => `${node}:${nic}`);
    removeLinks(doc, (ends) => ends.some((end) => endpoints.includes(end)));
    for (const { node, nic } of [one, other]) {
      const entry = nodeOf(doc, node);
      const found = nicsIn(entry).find((it, at) => nicName(it, at) === nic);
      if (found !== undefined) putNetwork(doc, entry, found, undefined);
    }
    const links = doc.get("links");
    if (isSeq(links)) links.add(flow(doc, { endpoints }));
    else {
      const list = new YAMLSeq();
      list.add(flow(doc, { endpoints }));
      doc.set("links", list);
    }
  });
}

/** @param link `node:nic--node:nic` */
export function removeLink(text: string, link: string): string {
  return edited(text, (doc) => {
    if (!removeLinks(doc, (ends) => sameEnds(ends, link))) throw new EditRefused(`the file has no link ${link}`);
  });
}

export function setSpy(text: string, place: NicPlace, on: boolean): string {
  return edited(text, (doc) => {
    const nic = nicMap(doc, place);
    if (on) nic.set("spy", true);
    else nic.delete("spy");
  });
}

/** What befalls the frames of a nic: `forward` is what it sends. */
export function setImpair(text: string, place: NicPlace, impair: ImpairWritten): string {
  return edited(text, (doc) => putImpair(doc, nicMap(doc, place), impair, ["out", "in"]));
}

/** What befalls the frames of a wire. @param link as {@link removeLink} has it */
export function setLinkImpair(text: string, link: string, impair: ImpairWritten): string {
  return edited(text, (doc) => {
    const links = doc.get("links");
    const found = isSeq(links) ? links.items.find((it) => sameEnds(endsOf(it), link)) : undefined;
    if (!isMap(found)) throw new EditRefused(`the file has no link ${link}`);
    putImpair(doc, found, impair, ["forward", "backward"]);
  });
}

/** What befalls the frames between the two nics of an a2b: `forward` is from the first to the second. */
export function setNodeImpair(text: string, node: string, impair: ImpairWritten): string {
  return edited(text, (doc) => putImpair(doc, nodeOf(doc, node), impair, ["forward", "backward"]));
}

function edited(text: string, change: (doc: Document) => void): string {
  const doc: Document = parseDocument(text);
  if (doc.errors.length > 0) throw new EditRefused(`the lab file cannot be read: ${doc.errors[0]?.message}`);
  if (doc.contents === null) doc.contents = new YAMLMap();
  const before = doc.toString(PRINTED);
  change(doc);
  return asWritten(text, before, doc.toString(PRINTED));
}

function section(doc: Document, name: string): YAMLMap<unknown, unknown> {
  const found = doc.get(name);
  if (isMap(found)) {
    // What was written in braces on one line has no room for more.
    if (found.items.length === 0) found.flow = false;
    return found;
  }
  const made = new YAMLMap<unknown, unknown>();
  doc.set(name, made);
  return made;
}

function nodeOf(doc: Document, node: string): YAMLMap<unknown, unknown> {
  const nodes = doc.get("nodes");
  const found = isMap(nodes) ? nodes.get(node) : undefined;
  if (isMap(found)) return found;
  const counted = /^(.*)-\d+$/.exec(node)?.[1];
  if (counted !== undefined && isMap(nodes) && nodes.has(counted))
    throw new EditRefused(`${node} is one of several that the file declares as ${counted}: change them there`);
  throw new EditRefused(`the file declares no node ${node}`);
}

function nicsIn(node: YAMLMap<unknown, unknown>): readonly unknown[] {
  const list = node.get("nics");
  return isSeq(list) ? list.items : [];
}

function nicList(doc: Document, node: YAMLMap<unknown, unknown>): YAMLSeq {
  const list = node.get("nics");
  if (isSeq(list)) return list;
  const made = doc.createNode([]) as YAMLSeq;
  node.set("nics", made);
  return made;
}

/** As the yard names it: by its place, where the file does not. */
function nicName(nic: unknown, index: number): string {
  const name = isMap(nic) ? nic.get("name") : undefined;
  return typeof name === "string" ? name : `eth${index}`;
}

function networkOf(nic: unknown): unknown {
  return isMap(nic) ? nic.get("network") : isScalar(nic) ? nic.value : undefined;
}

/** @param network undefined: none is written, as for the end of a wire */
function putNetwork(doc: Document, node: unknown, nic: unknown, network: string | undefined): void {
  const list = isMap(node) ? node.get("nics") : undefined;
  if (!isSeq(list)) return;
  const at = list.items.indexOf(nic);
  if (isScalar(nic) && network !== undefined) {
    nic.value = network;
    return;
  }
  const map = asMap(doc, list, at);
  // An end of a wire is named in the file's `links`, so it needs its name here.
  if (network === undefined) {
    map.set("name", nicName(nic, at));
    map.delete("network");
  } else map.set("network", network);
  // Addresses and routers are those of the segment it was on.
  for (const key of ["type", "id", "ip", "slot", "gateway"]) map.delete(key);
}

/** The nic in the long way of writing it. */
function asMap(doc: Document, list: YAMLSeq, at: number): YAMLMap<unknown, unknown> {
  const item = list.items[at];
  if (isMap(item)) return item;
  const map = flow(doc, { network: isScalar(item) ? item.value : "none" });
  list.items[at] = map;
  return map;
}

function nicMap(doc: Document, { node, nic }: NicPlace): YAMLMap<unknown, unknown> {
  const entry = nodeOf(doc, node);
  const list = nicList(doc, entry);
  const at = list.items.findIndex((it, index) => nicName(it, index) === nic);
  if (at >= 0) return asMap(doc, list, at);
  // The end of a link, which the file need not list among the node's nics.
  const map = flow(doc, { name: nic });
  list.add(map);
  return map;
}

function putImpair(
  doc: Document,
  at: YAMLMap<unknown, unknown>,
  { forward, backward }: ImpairWritten,
  [ahead, back]: readonly [string, string],
): void {
  const [some, same] = [
    Object.keys(forward).length + Object.keys(backward).length > 0,
    JSON.stringify(Object.entries(forward).toSorted()) === JSON.stringify(Object.entries(backward).toSorted()),
  ];
  if (!some) at.delete("impair");
  else if (same) at.set("impair", flow(doc, forward));
  else at.set("impair", flow(doc, nonEmpty({ [ahead]: forward, [back]: backward })));
}

function nonEmpty(ways: Readonly<Record<string, Readonly<Record<string, string>>>>): object {
  return Object.fromEntries(Object.entries(ways).filter(([, settings]) => Object.keys(settings).length > 0));
}

function endsOf(link: unknown): string[] {
  const ends = isMap(link) ? link.get("endpoints") : undefined;
  return isSeq(ends) ? ends.items.map((end) => String(isScalar(end) ? end.value : end)) : [];
}

function sameEnds(ends: readonly string[], link: string): boolean {
  return [ends.join("--"), ends.toReversed().join("--")].includes(link);
}

/** Takes links away. What they ended at is there afterwards, but plugged into nothing. @returns whether there was one */
function removeLinks(doc: Document, which: (ends: readonly string[]) => boolean): boolean {
  const links = doc.get("links");
  if (!isSeq(links)) return false;
  const removed = links.items.map(endsOf).filter(which);
  links.items = links.items.filter((link) => !which(endsOf(link)));
  if (links.items.length === 0) doc.delete("links");
  for (const end of removed.flat()) unplug(doc, end);
  return removed.length > 0;
}

/** @param end `node:nic`; one that the file does not list is gone with its link */
function unplug(doc: Document, end: string): void {
  const [node = "", nic] = end.split(":");
  const nodes = doc.get("nodes");
  const entry = isMap(nodes) ? nodes.get(node) : undefined;
  if (!isMap(entry)) return;
  const found = nicsIn(entry).find((it, at) => nicName(it, at) === nic);
  if (found !== undefined) putNetwork(doc, entry, found, "none");
}

/** Checks that say something of a node which is gone. */
function removeChecks(doc: Document, node: string): void {
  const checks = doc.get("checks");
  if (!isSeq(checks)) return;
  checks.items = checks.items.filter((check) => {
    if (!isMap(check)) return true;
    return !check.items.some(
      (pair) =>
        isPair(pair) &&
        isMap(pair.value) &&
        ["from", "to", "node"].some((key) => isMap(pair.value) && pair.value.get(key) === node),
    );
  });
  if (checks.items.length === 0) doc.delete("checks");
}

/** Written on one line, in braces. */
function flow(doc: Document, spec: object): YAMLMap<unknown, unknown> {
  return doc.createNode(spec, { flow: true }) as YAMLMap<unknown, unknown>;
}

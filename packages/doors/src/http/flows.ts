/** What ovs-vswitchd prints about flows, read. */

export interface Flow {
  readonly table: number;
  readonly priority: number;
  readonly match: string;
  readonly actions: string;
  readonly packets: number;
  readonly bytes: number;
  readonly seconds: number | null;
}

/** The lines of `bridge/dump-flows`: `duration=4s, table_id=0, n_packets=2, n_bytes=84, priority=0,actions=NORMAL`. */
export function parseFlows(text: string) {
  return text.split("\n").flatMap((line): Flow[] => {
    const at = line.indexOf("actions=");
    if (at < 0) return [];
    const words = line
      .slice(0, at)
      .split(/, ?/)
      .map((word) => word.trim());
    const value = (name: string) => words.find((word) => word.startsWith(`${name}=`))?.slice(name.length + 1);
    const own = /^(duration|table_id|n_packets|n_bytes|priority|idle_age|hard_age|cookie)=/;
    const seconds = Number.parseFloat(value("duration") ?? "");
    return [
      {
        table: Number(value("table_id") ?? 0),
        // What is not told is OpenFlow's default.
        priority: Number(value("priority") ?? 32_768),
        match: words.filter((word) => word !== "" && !own.test(word)).join(","),
        actions: line.slice(at + "actions=".length).trim(),
        packets: Number(value("n_packets") ?? 0),
        bytes: Number(value("n_bytes") ?? 0),
        seconds: Number.isNaN(seconds) ? null : seconds,
      },
    ];
  });
}

/** What a bridge does with a traced packet: rule by rule. */
export interface TracedBridge {
  readonly bridge: string;
  readonly steps: readonly { readonly table: number; readonly rule: string; readonly does: readonly string[] }[];
}

/** What `ofproto/trace` prints (ovs-vswitchd(8)): `bridge("br0")`, underlined, then rules with what each does. */
export function parseTrace(text: string): { readonly hops: readonly TracedBridge[]; readonly actions: string } {
  const hops: { bridge: string; steps: { table: number; rule: string; does: string[] }[] }[] = [];
  for (const line of text.split("\n")) {
    const [, bridge] = /^bridge\("([^"]+)"\)$/.exec(line) ?? [];
    if (bridge !== undefined) {
      hops.push({ bridge, steps: [] });
      continue;
    }
    const hop = hops.at(-1);
    if (hop === undefined) continue;
    if (/^(Final flow|Megaflow|Datapath actions):/.test(line)) break;
    const [, table, rule] = /^\s*(\d+)\. (.*)$/.exec(line) ?? [];
    if (table !== undefined && rule !== undefined) hop.steps.push({ table: Number(table), rule, does: [] });
    else if (line.trim() !== "" && !/^-+$/.test(line))
      hop.steps.at(-1)?.does.push(line.trim().replace(/^(->|>+) /, ""));
  }
  return { hops, actions: /^Datapath actions: (.*)$/m.exec(text)?.[1] ?? "" };
}

/** The ports of the datapath by number, of `dpif/show`: `    _k_2_0 2/3: (system)`. */
export function parseDatapathPorts(text: string): ReadonlyMap<number, string> {
  const lines = [...text.matchAll(/^\s+(\S+) (?:\d+|-)\/(\d+): /gm)];
  return new Map(lines.map(([, name = "", number]) => [Number(number), name]));
}

/** A port that datapath actions output to, by its number, and the VLAN tag that a packet leaves by it with. */
export interface Output {
  readonly number: number;
  /** Undefined: it has none. */
  readonly vlan: number | undefined;
}

/**
 * Where datapath actions output to: `push_vlan(vid=5,pcp=0),2,pop_vlan,3` to 2 with the tag 5, and to 3 without.
 *
 * @param vlan the tag that the packet comes with
 */
export function outputsIn(actions: string, vlan?: number): Output[] {
  const tags = vlan === undefined ? [] : [vlan];
  const outputs = new Map<number, Output>();
  for (const [word, , vid] of actions.matchAll(/(\w+)(?:\((?:vid=(\d+)[^()]*|[^()]*(?:\([^()]*\)[^()]*)*)\))?/g)) {
    if (word.startsWith("push_vlan")) tags.push(Number(vid));
    else if (word === "pop_vlan") tags.pop();
    else if (/^\d+$/.test(word) && !outputs.has(Number(word)))
      outputs.set(Number(word), { number: Number(word), vlan: tags.at(-1) });
  }
  return [...outputs.values()];
}

const VLAN = /^(dl_vlan|dl_vlan_pcp|vlan_tci|vlan_vid|vlan_pcp)=/;

/** The tag that a packet has by its fields; undefined: none. */
export function vlanOf(flow: string): number | undefined {
  const [, vid] = /(?:^|,)(?:dl_vlan|vlan_vid)=(0x[\da-f]+|\d+)/i.exec(flow) ?? [];
  return vid === undefined ? undefined : Number(vid) & 0xfff;
}

/** The fields of a packet that has come in by another port, with another tag or none. */
export function flowAt(
  flow: string,
  { port, vlan }: { readonly port: number; readonly vlan: number | undefined },
): string {
  const fields = flow.split(",").filter((field) => field !== "" && !field.startsWith("in_port=") && !VLAN.test(field));
  return [`in_port=${port}`, ...fields, ...(vlan === undefined ? [] : [`dl_vlan=${vlan}`])].join(",");
}

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

/** The numbers of the ports that datapath actions output to: `push_vlan(vid=5,pcp=0),2,pop_vlan,3` to 2 and 3. */
export function outputsIn(actions: string): number[] {
  const outside = actions.replaceAll(/\([^()]*\)/g, "");
  return [...new Set(outside.split(",").flatMap((word) => (/^\d+$/.test(word.trim()) ? [Number(word)] : [])))];
}

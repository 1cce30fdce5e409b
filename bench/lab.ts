/** A lab of `nodes` bare hosts dealt out evenly to `lans` lans, each with an address, in the shortest way to write it. */
export function hostsLab(name: string, nodes: number, lans: number): string {
  const each = Array.from({ length: lans }, (_, i) => i + 1);
  const share = (lan: number) => Math.floor(nodes / lans) + (lan <= nodes % lans ? 1 : 0);
  return [
    `name: ${name}`,
    "networks:",
    ...each.map((lan) => `  lan${lan}: { cidr: 10.${lan}.0.0/16 }`),
    "nodes:",
    ...each.map((lan) => `  h${lan}: { kind: netns, count: ${share(lan)}, nics: [ lan${lan} ] }`),
    "",
  ].join("\n");
}

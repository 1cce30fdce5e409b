/** What a process of a yard does in its host's namespace: `claim LINK…`, `release LINK…`, or `ask LINK`. */
import { claimForwarding6, forwarding6, releaseForwarding6 } from "../src/mod.ts";

const [verb, ...links] = process.argv.slice(2);
if (verb === "claim") await claimForwarding6(links);
else if (verb === "release") await releaseForwarding6(links);
else console.log((await forwarding6())(links[0] ?? ""));

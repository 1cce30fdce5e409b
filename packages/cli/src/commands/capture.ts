import { YardError } from "@switchyard/base";
import { ensureAgent } from "@switchyard/yard/agent";
import { type CaptureOptions, type CaptureOutput, capture, captureAgent, WHOLE_FRAME } from "@switchyard/yard/capture";
import { yardPaths } from "@switchyard/yard/paths";
import { type Command, InvalidArgumentError } from "commander";
import { fileOutput, RingOutput, streamOutput } from "../capture/output.ts";
import { examples } from "../help.ts";
import { wholeNumber } from "../options.ts";
import { selfCommand } from "../self.ts";
import { type CommonOptions, isRoot, print, type Session, say, yardName } from "../session.ts";
import { findNicPath } from "../target.ts";
import { APPLICATION } from "../version.ts";
import { readYard } from "../view/open.ts";

interface Ring {
  readonly files: number;
  readonly bytes: number;
}

interface Options extends CommonOptions {
  readonly write?: string;
  readonly duration?: number;
  readonly count?: number;
  readonly snaplen: number;
  readonly buffer: number;
  readonly ring?: Ring;
}

/** `yard capture NODE:NIC [FILTER…] [-w FILE]` */
export function define(command: Command, session: Session): void {
  command
    .description(
      "Write all that passes a nic, in both directions, as pcapng with times in nanoseconds: to standard\n" +
        "output, which must not be a terminal, or to a file, until Ctrl-C. The spy that it needs is made,\n" +
        "and removed with its last reader. What was lost is counted in the end, and in the file.",
    )
    .argument("<nic>", "NODE:NIC, the nic by its name or its number")
    .argument("[filter...]", "which frames, as pcap-filter(7) has it: tcp port 80")
    .option("-w, --write <file>", "write to this file")
    .option("-d, --duration <time>", "end after that long: 90, 90s, 15m, 2h", milliseconds)
    .option("-c, --count <frames>", "end after so many frames", wholeNumber(1, 2 ** 31 - 1))
    .option("-s, --snaplen <bytes>", "keep no more of each frame (default: all)", wholeNumber(1, 262_144), WHOLE_FRAME)
    .option("-B, --buffer <size>", "what the kernel holds while nobody reads", size(1 << 16, 1 << 30), 32 << 20)
    .option("--ring <files/size>", "keep the last files of that size each: 5/100M", ring)
    .option("--json", "print the counts as JSON in the end, errors too")
    .action(async (path: string, filter: readonly string[], options: Options) => {
      await run(session, yardName(command, session.env), path, filter.join(" "), options);
    });
  examples(
    command,
    ["yard capture web:eth0 | wireshark -k -i -", "look at it live"],
    ["yard capture web:0 tcp port 80 -w web.pcapng -d 10s", "ten seconds of HTTP"],
    ["yard capture web:0 -w web.pcapng --ring 10/100M", "the last gigabyte"],
    ["yard capture web:0 -c 1 arp | tshark -r -", "wait for one ARP frame"],
  );
}

async function run(session: Session, yard: string, path: string, filter: string, options: Options): Promise<void> {
  const { stdout } = session.streams;
  const { write, snaplen, buffer } = options;
  if (write === undefined && stdout.isTTY)
    throw new YardError("usage.wrong", "a terminal cannot show pcapng", {
      hint: `name a file: -w ${path.replace(":", "-")}.pcapng; or pipe it on: | wireshark -k -i -`,
    });
  if (write === undefined && options.ring !== undefined)
    throw new YardError("usage.wrong", "--ring needs a file to put numbers to", { hint: "give -w FILE, too" });
  const view = await readYard(session, yard);
  const { node, nic } = findNicPath(view, path);
  if (isRoot())
    await (await ensureAgent(yard, { executable: selfCommand(), signal: session.signal }))[Symbol.asyncDispose]();
  await using agent = await captureAgent(yardPaths(yard, session.env));
  const { count, duration } = options;
  const { signal } = session;
  const limits: CaptureOptions = { filter, snaplen, buffer, count, duration, application: APPLICATION, signal };
  const open = (head: Buffer) => openOutput(session, head, options);
  const listening = () => {
    const name = `${node.name}:${nic.name}`;
    const text = `capturing ${name}${write === undefined ? "" : ` to ${write}`}`;
    say(session, options.json ? JSON.stringify({ capturing: name }) : text);
  };
  const result = await capture(agent, { view, node, nic }, limits, open, listening);
  const { captured, received, dropped } = result;
  const text = options.json
    ? JSON.stringify({ nic: `${node.name}:${nic.name}`, ...result })
    : `${captured} ${captured === 1 ? "frame" : "frames"} captured, ${received} let through, ${dropped} dropped`;
  if (options.json && write !== undefined) print(session, text);
  else say(session, text);
}

function openOutput(session: Session, head: Buffer, { write, ring }: Options): CaptureOutput {
  if (write !== undefined && ring !== undefined) return new RingOutput(write, head, ring);
  const output = write === undefined ? streamOutput(session.streams.stdout) : fileOutput(write);
  void output.write(head);
  return output;
}

/** Milliseconds. @throws InvalidArgumentError */
function milliseconds(text: string): number {
  const [, number, unit = "s"] = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/.exec(text) ?? [];
  const milliseconds = Number(number) * { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 }[unit as "ms" | "s" | "m" | "h"];
  // setTimeout(3) takes no more.
  if (!(milliseconds >= 1 && milliseconds < 2 ** 31))
    throw new InvalidArgumentError("a time is expected, such as 10s, 15m or 2h; 24 days at most.");
  return milliseconds;
}

/** Bytes. @throws InvalidArgumentError */
function size(least: number, most: number): (text: string) => number {
  return (text) => {
    const [, number, unit = ""] = /^(\d+(?:\.\d+)?)([kmg]?)$/i.exec(text) ?? [];
    const bytes = Math.floor(Number(number) * 1024 ** ["", "k", "m", "g"].indexOf(unit.toLowerCase()));
    if (!(bytes >= least && bytes <= most))
      throw new InvalidArgumentError(`a size from ${least} to ${most} bytes is expected, such as 100k, 10M or 1G.`);
    return bytes;
  };
}

/** @throws InvalidArgumentError */
function ring(text: string): Ring {
  const [, files, bytes = ""] = /^(\d{1,5})\/(.+)$/.exec(text) ?? [];
  if (!(Number(files) >= 1)) throw new InvalidArgumentError("FILES/SIZE is expected, such as 5/100M.");
  return { files: Number(files), bytes: size(1_024, 2 ** 40)(bytes) };
}

/** ZeroTier's networks that the host itself is on, by its own `zerotier-one`: `zerotier.*`. */
import { tryRun, YardError } from "@switchyard/base";
import { parseNwid } from "@switchyard/yard/model";
import { z } from "zod";
import { command, type Handler } from "../job.ts";
import { Turns } from "../turns.ts";

const networkSchema = z.object({ network: z.string() });
const listSchema = z.array(z.looseObject({ nwid: z.string() }));

export function zerotierCommands(): Readonly<Record<string, Handler>> {
  const turns = new Turns();
  const list = async (signal: AbortSignal) => listSchema.parse(JSON.parse(await cli(signal, "-j", "listnetworks")));
  return {
    "zerotier.join": command(networkSchema, ({ network }, { signal }) =>
      turns.take("", async () => void (await cli(signal, "join", parseNwid(network)))),
    ),
    "zerotier.leave": command(networkSchema, ({ network }, { signal }) =>
      turns.take("", async () => {
        const wanted = parseNwid(network);
        if (!(await list(signal)).some(({ nwid }) => nwid === wanted))
          throw new YardError("zeroos.no-membership", `the host is not on the ZeroTier network ${wanted}`);
        await cli(signal, "leave", wanted);
      }),
    ),
    "zerotier.list": command(z.unknown(), (_, { signal }) => list(signal)),
    "zerotier.info": command(
      z.unknown(),
      async (_, { signal }): Promise<unknown> => JSON.parse(await cli(signal, "-j", "info")),
    ),
  };
}

/** @throws YardError `zeroos.no-zerotier` with the program's own words */
async function cli(signal: AbortSignal, ...words: readonly string[]): Promise<string> {
  const hint = "install zerotier-one from zerotier.com, and start it: systemctl start zerotier-one";
  try {
    const { code, stdout, stderr } = await tryRun(["zerotier-cli", ...words], { signal, timeout: 10_000 });
    if (code === 0) return stdout;
    throw new YardError("zeroos.no-zerotier", `zerotier-cli: ${(stderr || stdout).trim()}`, { hint });
  } catch (error) {
    if (!(error instanceof YardError) || error.code !== "command.not-found") throw error;
    throw new YardError("zeroos.no-zerotier", "the host has no zerotier-one", { hint, cause: error });
  }
}

/**
 * The quick way: the yard's running agent, which has the switch's database in memory and the code loaded, does the
 * call. Nothing is imported but what the runtime has built in, as the start of this program is most of what a call takes.
 */
import { readlinkSync } from "node:fs";

/** What the agent is asked, by the method `cni` of its socket. Its words are CNI's own, so versions may differ. */
export interface AgentCall {
  readonly protocol: 1;
  /** The name that the plugin was called by. */
  readonly type: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly input: string;
  /** Of the caller, by what /proc/self/ns says: files and devices mean the same in the same ones only. */
  readonly namespaces: readonly string[];
}

/** What it answers: what goes to standard output, or that this is not for it. */
export type AgentReply = { readonly output: string; readonly exitCode: 0 | 1 } | { readonly elsewhere: string };

/** What came of asking; `died`: the agent ended in the middle of it. */
export type Asked = { readonly output: string; readonly exitCode: 0 | 1 } | "unserved" | "died";

export function ownNamespaces(): string[] {
  return ["mnt", "net", "pid"].map((kind) => readlinkSync(`/proc/self/ns/${kind}`));
}

/** The socket of the agent that may serve a configuration: of the yard that it names, else of the host's. */
export function agentSocketFor(input: string, env: NodeJS.ProcessEnv): string {
  // What is no name of a yard is told by whoever reads the whole.
  const [, yard = "system"] = /"yard"\s*:\s*"([a-z][a-z0-9-]{0,30})"/i.exec(input) ?? [];
  return `${env.SWITCHYARD_RUN_DIR ?? "/run/switchyard"}/${yard}/agent.sock`;
}

/**
 * Has the agent do a call.
 *
 * @param socket the agent's
 * @param warn gets its lines for the runtime's log
 */
export function askAgent(
  socket: string,
  call: Omit<AgentCall, "protocol" | "namespaces">,
  warn: (line: string) => void,
): Promise<Asked> {
  const request: AgentCall = { ...call, protocol: 1, namespaces: ownNamespaces() };
  const { promise, resolve } = Promise.withResolvers<Asked>();
  const decoder = new TextDecoder();
  let rest = "";
  let unsent = new TextEncoder().encode(`${JSON.stringify({ id: 1, method: "cni", params: request })}\n`);
  const send = (socket: { write(data: Uint8Array): number }) => {
    if (unsent.length > 0) unsent = unsent.subarray(Math.max(0, socket.write(unsent)));
  };
  Bun.connect({
    unix: socket,
    socket: {
      open: send,
      drain: send,
      data(socket, bytes) {
        const lines = (rest + decoder.decode(bytes, { stream: true })).split("\n");
        rest = lines.pop() ?? "";
        for (const line of lines) {
          const { id, progress, result, error } = JSON.parse(line);
          if (id !== 1) continue;
          if (progress !== undefined) warn(String(progress.warning));
          else {
            resolve(error === undefined && typeof result?.output === "string" ? result : "unserved");
            socket.end();
          }
        }
      },
      close: () => resolve("died"),
      error: () => resolve("died"),
    },
  }).catch(() => resolve("unserved"));
  return promise;
}

import { z } from "zod";

/**
 * Verbs that enter nodes, which only root may, and that the agent runs for members of the group `yard`. Not among them
 * are those that write files of the host: these would be root's.
 */
export const ERRANDS: ReadonlySet<string> = new Set([
  "check",
  "console",
  "exec",
  "iperf",
  "logs",
  "pingall",
  "plan",
  "shell",
  "snapshot",
  "vm",
]);

/** Of the caller's environment what says how he wants to be answered, and which engine he means. */
export const KEPT =
  /^(TERM|COLORTERM|NO_COLOR|FORCE_COLOR|LANG|LC_\w+|SHELL|SWITCHYARD_LOG|DOCKER_HOST|CONTAINER_HOST)$/;

export const errandSchema = z.strictObject({
  /** The command line, without the program's name. */
  argv: z.array(z.string()).min(1),
  /** Whose standard streams are the command's. */
  pid: z.number().int().positive(),
  cwd: z.string().startsWith("/"),
  environment: z.record(z.string().regex(KEPT), z.string()),
});
export type Errand = z.infer<typeof errandSchema>;

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP", "SIGWINCH"] as const;
export type ErrandSignal = (typeof SIGNALS)[number];
export const signalSchema = z.strictObject({ id: z.number().int(), signal: z.enum(SIGNALS) });

/** How a command has ended. */
export const endSchema = z.object({ code: z.number().int() });
/** Told when it has begun: what to send its signals to. */
export const begunSchema = z.object({ id: z.number().int() });

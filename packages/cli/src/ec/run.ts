import { spawn } from "node:child_process";
import { once } from "node:events";
import { childEnvironment } from "@switchyard/base";
import { runEc } from "@switchyard/doors/ecdock";
import { defaultHostYard } from "../host-yard.ts";
import { selfCommand } from "../self.ts";
import { needRoot, print, type Session, say } from "../session.ts";

/** This executable called as `ec`. */
export async function ec(session: Session, argv: readonly string[]): Promise<void> {
  const { env, signal } = session;
  const yard = env.SWITCHYARD_YARD || (await defaultHostYard());
  if (argv.length > 0 && !argv.includes("-h") && !argv.includes("--help")) needRoot(["ec", ...argv], "ec");
  const asked = await runEc(argv, {
    yard,
    executable: selfCommand(),
    engine: env.DOCKER_HOST,
    signal,
    print: (line) => print(session, line),
    warn: (line) => say(session, `ec: [WARN]  ${line}`),
  });
  if (asked !== undefined) await attach(session, asked.attach);
}

/** By Docker's own command, which knows terminals and the keys to detach. */
async function attach(session: Session, container: string): Promise<void> {
  const child = spawn("docker", ["attach", container], { stdio: "inherit", env: childEnvironment(session.env) });
  const [code] = await once(child, "exit");
  session.exitCode = typeof code === "number" ? code : 1;
}

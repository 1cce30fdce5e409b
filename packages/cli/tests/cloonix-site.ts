import { chmodSync } from "node:fs";
import { join } from "node:path";
import { createSite, type Result, type Site } from "./yard.ts";

/** The built one, which alone has several names. */
export const executable = new URL("../../../dist/yard", import.meta.url).pathname;

/** cloonix's commands as a user of them has them, in folders of their own. */
export interface CloonixSite extends AsyncDisposable {
  readonly site: Site;
  readonly net: string;
  readonly yard: string;
  /** Runs one line as a shell does. */
  line(text: string): Promise<Result>;
  /** What it prints. @throws Error when it fails */
  said(text: string): Promise<string>;
}

export async function createCloonixSite(net: string): Promise<CloonixSite> {
  const site = await createSite();
  // Servers of leases read their files as nobody.
  chmodSync(join(site.folder, ".."), 0o755);
  const bin = join(site.folder, "..", "bin");
  const env = { ...site.env, PATH: `${bin}:${process.env.PATH}` };
  const shell = async (text: string): Promise<Result> => {
    const child = Bun.spawn(["bash", "-c", text], {
      cwd: site.folder,
      env,
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    });
    const [stdout, stderr, code] = await Promise.all([
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
      child.exited,
    ]);
    return { code, stdout, stderr };
  };
  const { code, stderr } = await shell(`'${executable}' cloonix install '${bin}'`);
  if (code !== 0) throw new Error(`the commands are not in place: ${stderr}`);
  return {
    site,
    net,
    yard: `cloonix-${net}`,
    line: shell,
    async said(text) {
      const { code, stdout, stderr } = await shell(text);
      if (code !== 0) throw new Error(`${text} ended with ${code}: ${stdout}${stderr}`);
      return stdout;
    },
    async [Symbol.asyncDispose]() {
      await site.yard(`cloonix-${net}`, ["down", "--all"]);
      await site[Symbol.asyncDispose]();
    },
  };
}

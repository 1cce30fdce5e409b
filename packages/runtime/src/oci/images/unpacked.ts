import { existsSync, mkdirSync, renameSync, rmSync } from "node:fs";

const inProgress = new Map<string, Promise<string>>();

/**
 * A folder that is made once: filled as a draft beside it and renamed when complete, so that it is whole or absent
 * whenever we are killed. Two processes may make it at the same time; one of the two drafts becomes it.
 */
export function once(path: string, fill: (draft: string) => Promise<void>): Promise<string> {
  if (existsSync(path)) return Promise.resolve(path);
  const running = inProgress.get(path) ?? make(path, fill).finally(() => inProgress.delete(path));
  inProgress.set(path, running);
  return running;
}

async function make(path: string, fill: (draft: string) => Promise<void>): Promise<string> {
  const cut = path.lastIndexOf("/");
  const draft = `${path.slice(0, cut)}/.${path.slice(cut + 1)}.${process.pid}`;
  rmSync(draft, { recursive: true, force: true });
  mkdirSync(draft, { recursive: true, mode: 0o755 });
  try {
    await fill(draft);
    renameSync(draft, path);
  } catch (error) {
    rmSync(draft, { recursive: true, force: true });
    if (!existsSync(path)) throw error;
  }
  return path;
}

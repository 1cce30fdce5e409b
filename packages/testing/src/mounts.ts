import { readFileSync } from "node:fs";

/** The mount points of this mount namespace in mount order, `proc(5)`'s octal escapes undone. */
export function mountPoints(): string[] {
  return readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .flatMap((line) => line.split(" ")[4] ?? [])
    .map((path) => path.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8))));
}

/** Those at or below `folder`, in mount order. */
export function mountsBelow(folder: string): string[] {
  return mountPoints().filter((path) => path === folder || path.startsWith(`${folder}/`));
}

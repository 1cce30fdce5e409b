import { YardError } from "@switchyard/base";

/**
 * What all engines take as a container's name (runc: libcontainer/factory_linux.go; Docker and podman:
 * `[a-zA-Z0-9][a-zA-Z0-9_.-]*`); names of ours begin with a yard's name.
 *
 * @throws YardError `runtime.bad-name`
 */
export function checkContainerName(name: string): string {
  if (!/^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/.test(name))
    throw new YardError("runtime.bad-name", `${JSON.stringify(name)} cannot be the name of a container`, {
      hint: "use letters, digits and _ . -, starting with a letter or a digit",
    });
  return name;
}

/** Whether a container has all of these labels. */
export function carries(labels: Readonly<Record<string, string>>, wanted: Readonly<Record<string, string>>): boolean {
  return Object.entries(wanted).every(([name, value]) => labels[name] === value);
}

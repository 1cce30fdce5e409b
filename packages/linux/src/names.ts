import { YardError } from "@switchyard/base";

/**
 * @returns the name, when it can be that of a file in /run/netns and an argument of `ip netns exec`
 * @throws YardError `namespace.bad-name`
 */
export function checkNamespaceName(name: string): string {
  if (!/^[A-Za-z0-9_][A-Za-z0-9_.:@+-]{0,199}$/.test(name))
    throw new YardError("namespace.bad-name", `${JSON.stringify(name)} cannot be the name of a network namespace`, {
      hint: "use letters, digits and _ . : @ + -, starting with a letter, a digit or _",
    });
  return name;
}

/** @returns the path, when it can be that of a namespace's file @throws YardError `namespace.bad-name` */
export function checkNamespaceFile(path: string): string {
  if (!/^\/[!-~]{1,4094}$/.test(path))
    throw new YardError("namespace.bad-name", `${JSON.stringify(path)} cannot be the file of a network namespace`, {
      hint: "give an absolute path of printable ASCII characters without space",
    });
  return path;
}

/**
 * @returns the name, when the kernel (dev_valid_name in net/core/dev.c) takes it and no tool misreads it
 * @throws YardError `link.bad-name`
 */
export function checkLinkName(name: string): string {
  // `%d` would be a pattern that the kernel fills in; a leading dash an option to iproute2.
  if (!/^[!-~]{1,15}$/.test(name) || /[/:%"'\\]/.test(name) || name === "." || name === ".." || name.startsWith("-"))
    throw new YardError("link.bad-name", `${JSON.stringify(name)} cannot be the name of an interface`, {
      hint: "use 1 to 15 printable ASCII characters without space, quotes and / : % \\, not starting with -",
    });
  return name;
}

/**
 * @returns the path below /proc/sys of a sysctl that belongs to a network namespace. As sysctl(8) has it, the first
 * separator says which one it is: in `net.ipv4.conf.eth0/1.forwarding` a slash stands for a dot within a part.
 * @throws YardError `sysctl.bad-name`
 */
export function sysctlPath(name: string): string {
  const dotted = (name.match(/[./]/)?.[0] ?? ".") === ".";
  const path = dotted ? name.replace(/[./]/g, (separator) => (separator === "." ? "/" : ".")) : name;
  const parts = path.split("/");
  const valid =
    parts.length >= 2 &&
    parts[0] === "net" &&
    parts.every((part) => /^[A-Za-z0-9_@+.:-]{1,64}$/.test(part) && !/^\.+$/.test(part));
  if (!valid)
    throw new YardError("sysctl.bad-name", `${JSON.stringify(name)} is no sysctl of a network namespace`, {
      hint: "such names begin with net., for example net.ipv4.ip_forward",
    });
  return path;
}

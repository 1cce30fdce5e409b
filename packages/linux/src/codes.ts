/** Every code that this room throws, and what to do about it; `docs/errors.md` is generated from such lists. */
export const codes = {
  "linux.call-failed": "The kernel refused a system call; the message names the call and the kernel's reason.",
  "linux.socket-path": "The path of a unix socket is longer than the kernel takes. Choose a shorter folder.",
  "linux.no-ffi":
    "System calls cannot be made directly here and the operation has no other way. Run yard on Linux with glibc, as the released executable.",
  "linux.no-iproute2": "The command ip (or nsenter, or ethtool) is missing. Install iproute2, util-linux and ethtool.",
  "linux.namespace-lost":
    "The process could not return to its own network namespace and must not go on. Start it again.",
  "linux.asynchronous-body":
    "Code that runs inside another network namespace must be synchronous, but it returned a promise. This is a defect of the program.",
  "netem.refused": "The kernel or tc refused an impairment; the message is their own.",
  "netlink.malformed":
    "The kernel's netlink answer could not be understood. Please report it with the kernel's version.",
  "netlink.request-failed": "The kernel refused a netlink request; the message has its reason.",
  "forwarding6.refused":
    "The host could not be made to pass on IPv6 for a nat, or to be as it was before; the message is the kernel's or nft's own.",
  "masquerade.refused": "nftables refused source NAT; the message is the kernel's or nft's own.",
  "open-ports.refused": "nftables refused a rule for an open port; the message is nft's own.",
  "namespace.bad-name":
    "A network namespace's name has 1 to 200 letters, digits and `_ . : @ + -`, and starts with a letter, a digit or `_`.",
  "namespace.missing":
    "There is no network namespace of that name or process. Create it, or look for the right name with `ip netns list`.",
  "namespace.not-permitted": "Network namespaces can be entered and made by root only. Run the command as root.",
  "namespace.adopt-failed":
    "A process's network namespace could not be given a name; the message has the kernel's reason.",
  "link.bad-name":
    "An interface's name has 1 to 15 printable characters without space, `/`, `:` and `%`, and is not `.` or `..`.",
  "link.tap-absent": "There is no persistent tap device of that name in the namespace. Make it first.",
  "link.tap-busy": "A tap device is in use by another program, such as another virtual machine. End that one first.",
  "link.no-sink":
    "A spy is a link of kind dummy or ifb, and the running kernel has neither. Install the package with the kernel's further modules.",
  "link.bad-value": "An interface's MTU lies between 68 and 65535, its alias has at most 255 bytes.",
  "sysctl.bad-name":
    "A sysctl of a network namespace is called `net.…`, with letters, digits, `_`, `-`, and dots or slashes between.",
  "process.gone": "A process ended before what it asked for was done.",
  "process.still-alive":
    "A process did not end after SIGKILL within the time given; it may wait for a device. Look at it with ps.",
} as const;

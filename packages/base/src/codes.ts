/** Every code that this room throws, and what to do about it; `docs/errors.md` is generated from such lists. */
export const codes = {
  "address.bad-mac":
    "Six hexadecimal octets of a unicast, non-zero MAC address were expected, such as 02:00:00:00:00:01.",
  "address.bad-ip": "An IPv4 or IPv6 address was expected, without a prefix length.",
  "address.bad-cidr": "An address with a prefix length was expected, such as 10.1.0.1/24 or fd01::9/64.",
  "address.outside-network": "The network has no host of that number. Use a smaller slot or a shorter prefix length.",
  "command.not-found": "A program that is needed is not installed. `yard doctor` names the Debian package it comes in.",
  "command.failed": "A program that was run ended with an error; the message has its last line.",
  "command.timeout": "A program that was run did not end in its time and was killed. Try again on a less busy machine.",
  "command.aborted": "A program that was run was cancelled with the operation it belonged to.",
  "internal.unexpected": "A failure nobody foresaw: a defect of the program. Please report it with the whole message.",
} as const;

/** Every code that this door throws, and what to do about it; `docs/errors.md` is generated from such lists. */
export const codes = {
  "cloonix.bad-word":
    "A word of a `cloonix_…` command is not one that it knows, or one is missing. The command alone shows what it takes.",
  "cloonix.bad-net":
    "A net's name is a lower-case letter, then letters, digits and `-`, 23 at most, as it is part of a yard's.",
  "cloonix.left-out":
    "Something of cloonix that is not there; docs/cloonix.md names the way to have the same, or why there is none.",
  "cloonix.no-lease": "The machine has no address of that nat, or has not asked for one yet.",
  "cloonix.wrong-kind": "The item is of another kind than the command says.",
  "cloonix.not-plugged": "The interface is not on that lan, so it cannot be pulled out of it.",
} as const;

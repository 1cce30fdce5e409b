/** Every failure that the executable itself reports; those of the rooms below are listed there. */
export const codes = {
  "cloonix.name-taken":
    "A file that is no link to this executable has the name of one of cloonix's commands. Take it away, or name another folder.",
  "cloonix.bad-word": "A command of cloonix's has a word too many, or one too few.",
  "cloonix.not-running": "The net does not run. `cloonix_net NAME` starts it.",
  "cloonix.no-program": "A program that the command hands over to is not installed on the host.",
  "cloonix.not-compiled": "The program runs from its sources, which have one name only. Build it: `make build`.",
  "output.unwritable":
    "What a command prints cannot be written where it goes: a full disk, say. What the command did stands.",
  "usage.wrong":
    "The command line is not one that the verb understands. `yard help VERB` shows what it takes, with examples.",
  "yard.two-names": "`-y NAME` and `--system` name two yards, or `-y` was given twice with different names. Give one.",
  "yard.not-running":
    "The yard has no database to ask: nothing was started in it yet, or it was taken down. `yard up` starts it.",
  "yard.no-access":
    "The yard's database socket may only be used by root and the group `yard`. Run the command with sudo, or join the group.",
  "privilege.root-needed":
    "The command changes the kernel or enters namespaces, which only root may. Run it with sudo.",
  "errand.refused":
    "The agent runs certain verbs for members of the group `yard`, for commands of its own program. Run the command with sudo.",
  "errand.not-begun": "The agent could not start a command for a member of the group `yard`; the message says why.",
  "cni.not-built":
    "The command was run from its sources. Only the built executable can be called by a container runtime: `make build`.",
  "lab.file-missing":
    "The folder has no `*.yard.yaml`, or the named lab file cannot be read. `yard init` writes one to begin with.",
  "lab.file-ambiguous": "The folder has several `*.yard.yaml`. Name the one that is meant.",
  "lab.file-unwritable": "`yard init` could not write the file; the message says why.",
  "lab.file-exists": "`yard init` does not overwrite a file. Name another, or remove it first.",
  "rm.unknown": "Neither a node nor a network of the yard has that name. `yard ps` and `yard ps --networks` list them.",
  "cp.bad-path":
    "`yard cp` copies between the host and one node: exactly one side is `NODE:PATH`, with an absolute path.",
  "check.report-unwritable": "The JUnit report could not be written. Name a file in a folder that exists.",
  "capture.disk-full": "The disk that a capture is written to is full. What was written before can be read.",
  "capture.unwritable": "The file of a capture could not be written; the message says why.",
} as const;

/** A code of {@link codes}. */
export type Code = keyof typeof codes;

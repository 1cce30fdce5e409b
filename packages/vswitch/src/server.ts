import { chmodSync, chownSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { YardError } from "@switchyard/base";
import { endProcess, type ProcessId } from "@switchyard/linux";
import {
  alone,
  begunDaemon,
  complaint,
  controlSocket,
  daemonsOf,
  kill,
  launch,
  removeRuntimeFiles,
  runningDaemon,
} from "./daemon.ts";
import { compareVersions, type DatabaseFile, failure, prepareDatabaseFile, readSchema } from "./database-file.ts";
import { type CallOptions, call, unixctl } from "./unixctl.ts";

export interface DatabaseServerOptions {
  /** The unix socket to listen on, an absolute path of at most 107 bytes (unix(7)). */
  readonly socket: string;
  /** For its pid file, control socket and log; an absolute path, made if missing. */
  readonly runDir: string;
  /** The files to serve, each with a schema of its own name. */
  readonly databases: readonly DatabaseFile[];
  /** Who may use the socket; root alone without it. */
  readonly access?: {
    /** 0o660, say. */
    readonly mode: number;
    /** A group's name or number. */
    readonly group?: string | number;
  };
  readonly signal?: AbortSignal;
  /** Milliseconds; 20,000 by default. */
  readonly timeout?: number;
}

/**
 * An `ovsdb-server` that serves these databases on that socket: the one that runs already in `runDir`, which is given
 * what it lacks, or a new one. It outlives us. May be repeated at any time.
 *
 * @throws YardError `switch.not-installed`, `switch.path-too-long`, `switch.start-failed`, `switch.not-answering`,
 * `switch.no-group`, and those of {@link prepareDatabaseFile}
 */
export async function startDatabaseServer(options: DatabaseServerOptions): Promise<ProcessId> {
  const { socket, runDir } = options;
  for (const path of [socket, switchSocket(runDir), controlSocket(runDir, "ovsdb-server", 4_194_304)]) {
    if (!path.startsWith("/") || Buffer.byteLength(path) > 107)
      throw new YardError("switch.path-too-long", `${path} is no absolute path of 107 bytes at most`, {
        hint: "a unix socket's path is short (unix(7)); choose a shorter folder",
      });
  }
  return alone(runDir, "ovsdb-server", options, async () => {
    const id = (await adopt(options)) ?? (await start(options));
    grant(options);
    return id;
  });
}

/** Ends the server that runs in `runDir`, if one does, and removes what it made there. The database files stay. */
export async function stopDatabaseServer(runDir: string): Promise<void> {
  // Every transaction is in the file before it is answered, so ending it at once loses nothing.
  for (const id of daemonsOf(runDir, "ovsdb-server")) await endProcess(id, 1_000).catch(() => kill(id));
  removeRuntimeFiles(runDir, "ovsdb-server");
}

/** The socket that the server has for the switch alone. */
function switchSocket(runDir: string): string {
  return join(runDir, "ovs-vswitchd.sock");
}

/**
 * Ends the connection of the switch before, and with it its lock on the database: one that was killed would hold it
 * for seconds, until the kernel has closed all its ports, and its successor wait as long.
 *
 * @returns the socket for the switch to come; undefined when no server of ours runs in `runDir`
 */
export async function renewSwitchSocket(runDir: string, options: CallOptions): Promise<string | undefined> {
  const id = runningDaemon(runDir, "ovsdb-server");
  if (id === undefined) return undefined;
  const control = controlSocket(runDir, "ovsdb-server", id.pid);
  const socket = switchSocket(runDir);
  const limits = options.signal === undefined ? {} : { signal: options.signal };
  const remotes = (await unixctl(control, "ovsdb-server/list-remotes", [], limits)).trim().split("\n");
  if (remotes.includes(`punix:${socket}`))
    await unixctl(control, "ovsdb-server/remove-remote", [`punix:${socket}`], limits);
  await unixctl(control, "ovsdb-server/add-remote", [`punix:${socket}`], limits);
  return socket;
}

/** The server that runs already, with our databases added and brought up to date; undefined when none runs. */
async function adopt(options: DatabaseServerOptions): Promise<ProcessId | undefined> {
  const { runDir, socket, databases } = options;
  const id = await begunDaemon(runDir, "ovsdb-server", options);
  if (id === undefined) return undefined;
  const control = controlSocket(runDir, "ovsdb-server", id.pid);
  const limits = {
    ...(options.signal === undefined ? {} : { signal: options.signal }),
    timeout: options.timeout ?? 5_000,
  };
  const served = new Set((await unixctl(control, "ovsdb-server/list-dbs", [], limits)).trim().split("\n"));
  for (const database of databases) {
    const ours = readSchema(database.schema);
    if (!served.has(ours.name)) {
      await prepareDatabaseFile(database, options.signal);
      await unixctl(control, "ovsdb-server/add-db", [database.file], limits);
    }
  }
  const remotes = (await unixctl(control, "ovsdb-server/list-remotes", [], limits)).trim().split("\n");
  for (const path of [socket, switchSocket(runDir)])
    if (!remotes.includes(`punix:${path}`))
      await unixctl(control, "ovsdb-server/add-remote", [`punix:${path}`], limits);
  for (const database of databases) {
    const ours = readSchema(database.schema);
    const theirs = await call(socket, "get_schema", [ours.name], limits);
    const version = typeof theirs === "object" && theirs !== null && "version" in theirs ? String(theirs.version) : "0";
    const order = compareVersions(version, ours.version);
    // ovsdb-server(7) section 4.1.15.
    if (order < 0) await call(socket, "convert", [ours.name, JSON.parse(ours.text)], limits);
    if (order > 0)
      throw new YardError(
        "switch.database-newer",
        `the running ${ours.name} database has schema ${version}, newer than ${ours.version}`,
        {
          where: database.file,
          hint: "use the newer release that started it, or stop it first",
        },
      );
  }
  return id;
}

async function start(options: DatabaseServerOptions): Promise<ProcessId> {
  const { runDir, socket, databases } = options;
  await Promise.all(databases.map((database) => prepareDatabaseFile(database, options.signal)));
  const files = databases.map((database) => database.file);
  const started = await launch(
    "ovsdb-server",
    runDir,
    [...files, ...[socket, switchSocket(runDir)].map((path) => `--remote=punix:${path}`)],
    options,
  );
  if ("pid" in started) return started;
  const said = complaint(started, "ovsdb-server");
  const file = files.find((path) => said.includes(path));
  if (file !== undefined) throw failure(file, said);
  throw new YardError("switch.start-failed", `ovsdb-server did not start: ${said}`, {
    where: `${runDir}/ovsdb-server.log`,
  });
}

function grant({ socket, access }: DatabaseServerOptions): void {
  if (access?.group !== undefined) chownSync(socket, 0, groupNumber(access.group));
  chmodSync(socket, access?.mode ?? 0o600);
}

function groupNumber(group: string | number): number {
  if (typeof group === "number") return group;
  const line = readFileSync("/etc/group", "utf8")
    .split("\n")
    .find((entry) => entry.startsWith(`${group}:`));
  const number = Number(line?.split(":")[2]);
  if (line === undefined || !Number.isInteger(number))
    throw new YardError("switch.no-group", `there is no group ${group}`, {
      hint: `make it: groupadd --system ${group}`,
    });
  return number;
}

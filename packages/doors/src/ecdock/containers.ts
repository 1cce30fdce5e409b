/** The containers of `ec`, at their engine. They bear a label that says which switch and slot they are for. */
import { YardError } from "@switchyard/base";
import { canPrivilege, capabilitiesOf } from "@switchyard/runtime";
import { handlesTermination } from "@switchyard/yard/agent";
import Docker from "dockerode";

/** The label of the yard; and that of the container's nics, as JSON. */
const OWNER = "switchyard-ec";
const NICS = "switchyard-ec-nics";

export interface EcContainer {
  readonly id: string;
  readonly name: string;
  readonly running: boolean;
  /** As it was made with. */
  readonly nics: string;
}

export interface NewContainer {
  readonly name: string;
  readonly hostname: string;
  readonly image: string;
  readonly parameters: readonly string[];
  readonly nics: string;
}

/** An engine, as far as `ec` uses it. All methods throw YardError `ec.engine-failed`. */
export class EcEngine {
  readonly #docker: Docker;

  /** @param address in the form of DOCKER_HOST; undefined is the engine's default */
  constructor(
    readonly yard: string,
    readonly address: string | undefined,
  ) {
    const socketPath = (address ?? "unix:///var/run/docker.sock").replace(/^unix:\/\//, "");
    this.#docker = new Docker({ socketPath });
  }

  async list(): Promise<EcContainer[]> {
    const filters = { label: [`${OWNER}=${this.yard}`] };
    const found = await ask(() => this.#docker.listContainers({ all: true, filters }));
    return found.map(({ Id, Names, State, Labels }) => ({
      id: Id,
      name: Names[0]?.replace(/^\//, "") ?? "",
      running: State === "running",
      nics: Labels[NICS] ?? "",
    }));
  }

  async find(name: string): Promise<EcContainer | undefined> {
    return (await this.list()).find((one) => one.name === name);
  }

  /** Without network; with a terminal, so that one may attach. @throws YardError `ec.no-image`, `ec.slot-taken` */
  async create(wanted: NewContainer): Promise<string> {
    const options: Docker.ContainerCreateOptions = {
      name: wanted.name,
      Image: wanted.image,
      Hostname: wanted.hostname,
      ...(wanted.parameters.length === 0 ? {} : { Cmd: [...wanted.parameters] }),
      Tty: true,
      OpenStdin: true,
      Labels: { [OWNER]: this.yard, [NICS]: wanted.nics },
      HostConfig: { NetworkMode: "none", ...privileges() },
    };
    try {
      return (await this.#docker.createContainer(options)).id;
    } catch (error) {
      if (statusOf(error) === 409)
        throw new YardError("ec.slot-taken", `there is a container ${wanted.name} already`, {
          hint: `one of ec's that has exited goes by: ec cleanup; any: docker rm ${wanted.name}`,
          cause: error,
        });
      if (statusOf(error) !== 404) throw failure(error);
      await this.#pull(wanted.image);
      return (await ask(() => this.#docker.createContainer(options))).id;
    }
  }

  async #pull(image: string): Promise<void> {
    try {
      const stream = await this.#docker.pull(/[:@][^/]*$/.test(image) ? image : `${image}:latest`);
      await new Promise<void>((resolve, reject) => {
        this.#docker.modem.followProgress(stream, (error) => (error ? reject(error) : resolve()));
      });
    } catch (cause) {
      throw new YardError("ec.no-image", `the engine has no image ${image}, and cannot pull it`, {
        hint: "docker images lists those that it has",
        cause,
      });
    }
  }

  /** @returns the container's first process. @throws YardError `ec.not-running` */
  async start(id: string): Promise<number> {
    await ask(() => this.#docker.getContainer(id).start());
    const pid = await this.pid(id);
    if (pid !== undefined) return pid;
    throw endedAtOnce();
  }

  async pid(id: string): Promise<number | undefined> {
    const { State } = await ask(() => this.#docker.getContainer(id).inspect());
    return State.Running && State.Pid > 0 ? State.Pid : undefined;
  }

  /** As `docker stop` does, less its waiting for who would never hear; one that has ended is no error. */
  async stop(id: string): Promise<void> {
    const pid = await this.pid(id);
    const options = pid === undefined || handlesTermination(pid) ? {} : { t: 0 };
    await ask(() => this.#docker.getContainer(id).stop(options)).catch((error) => {
      if (statusOf(error.cause) !== 304) throw error;
    });
  }

  async remove(id: string): Promise<void> {
    await ask(() => this.#docker.getContainer(id).remove({ force: true, v: true })).catch((error) => {
      if (statusOf(error.cause) !== 404) throw error;
    });
  }

  /** A line for each container that is started, ends or is removed, until the signal aborts or the engine ends. */
  async events(signal: AbortSignal): Promise<NodeJS.ReadableStream> {
    const label = [`${OWNER}=${this.yard}`];
    return await ask(() =>
      this.#docker.getEvents({
        filters: { type: ["container"], event: ["start", "die", "destroy"], label },
        abortSignal: signal,
      }),
    );
  }
}

/** Parts of CAP_SYS_ADMIN since Linux 5.8, whose names older engines refuse. */
const NEWER = ["CAP_PERFMON", "CAP_BPF", "CAP_CHECKPOINT_RESTORE"];

/**
 * All that there are, as ecDock's containers have them: they do with their nics and devices what they like. Where the
 * host's own root has not all, as in a container, no engine can make one privileged: then it has those that there are.
 */
function privileges(): Docker.HostConfig {
  if (canPrivilege()) return { Privileged: true };
  return {
    CapAdd: capabilitiesOf({ privileged: true, capAdd: [] }).filter((name) => !NEWER.includes(name)),
    SecurityOpt: ["seccomp=unconfined", "apparmor=unconfined"],
    DeviceCgroupRules: ["a *:* rwm"],
  };
}

async function ask<R>(request: () => Promise<R>): Promise<R> {
  try {
    return await request();
  } catch (error) {
    throw failure(error);
  }
}

function failure(cause: unknown): YardError {
  const said = cause instanceof Error ? cause.message.trim() : String(cause);
  // What it refuses it gives a reason for.
  const answered = statusOf(cause) !== undefined;
  return new YardError("ec.engine-failed", `the Docker engine: ${said}`, {
    hint: answered ? "check the image and its parameters" : "see whether it runs; DOCKER_HOST says where",
    cause,
  });
}

function statusOf(error: unknown): number | undefined {
  return error instanceof Error && "statusCode" in error && typeof error.statusCode === "number"
    ? error.statusCode
    : undefined;
}

export function endedAtOnce(cause?: unknown): YardError {
  return new YardError(
    "ec.not-running",
    "the container ended as soon as it was started",
    cause === undefined ? {} : { cause },
  );
}

import { YardError } from "@switchyard/base";
import type { VmNic, VmState } from "@switchyard/runtime";
import { LABEL_GRACE } from "./mark.ts";
import { containerName } from "./names.ts";
import type { World } from "./site.ts";
import type { MachineState, State } from "./state.ts";

/** Does to virtual machines what a plan says. */
export class MachineWork {
  constructor(
    private readonly site: Pick<World, "hypervisor" | "paths"> & { readonly signal: AbortSignal },
    private readonly desired: State,
    private readonly seen: ReadonlyMap<string, VmState>,
  ) {}

  async create(node: string, { config }: MachineState): Promise<void> {
    if (!config) throw new YardError("internal.unexpected", `the virtual machine ${node} has no configuration`);
    await (await this.site.hypervisor.get()).create(config, this.site.signal);
  }

  async start(node: string): Promise<VmState> {
    return await (await this.site.hypervisor.get()).start(this.name(node), this.site.signal);
  }

  /** @param grace milliseconds between the power button and the end */
  async stop(node: string, grace: number): Promise<void> {
    await (await this.site.hypervisor.get()).stop(this.name(node), grace, this.site.signal);
  }

  async remove(node: string): Promise<void> {
    const grace = graceOf(this.seen.get(node));
    await (await this.site.hypervisor.get()).remove(this.name(node), grace, this.site.signal);
  }

  async plug(node: string, nic: VmNic): Promise<void> {
    await (await this.site.hypervisor.get()).attachNic(this.name(node), nic, this.site.signal);
  }

  async unplug(node: string, index: number): Promise<void> {
    await (await this.site.hypervisor.get()).detachNic(this.name(node), index, this.site.signal);
  }

  private name(node: string): string {
    return (
      this.seen.get(node)?.name ??
      this.desired.machines.get(node)?.config?.name ??
      containerName(this.site.paths.yard, node)
    );
  }
}

/** Milliseconds between the power button and the end of one that is to go: none where all that it wrote goes too. */
export function graceOf(machine: VmState | undefined): number {
  return Number(machine?.labels[LABEL_GRACE] ?? 0);
}

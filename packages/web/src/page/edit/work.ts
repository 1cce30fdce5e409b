/** Changes on their way: proposed by a gesture, shown as the plan that they are, made, and undone. */
import { type Change, path, type Step, type YardApi } from "../api/api.ts";
import type { NodeView, YardView } from "../api/contract.ts";
import { problemText } from "../api/problem.ts";
import { Store } from "../state/store.ts";
import { type Impaired, impairedPath, impairedText, labOf, withImpair } from "./impaired.ts";
import {
  addLink,
  addNetwork,
  addNic,
  addNode,
  attachNic,
  type ImpairWritten,
  removeLink,
  removeNetwork,
  removeNic,
  removeNode,
  setSpy,
} from "./lab-edit.ts";

/** A change that is looked at. */
export interface Proposal {
  readonly title: string;
  /** Undefined while the yard is asked. */
  readonly plan: readonly Step[] | undefined;
  /** Why it cannot be had. */
  readonly problem: string | undefined;
  readonly isMaking: boolean;
  /** Whether undo will take it back. */
  readonly canUndo: boolean;
}

/** A change that was made. */
interface Made {
  readonly title: string;
  readonly undo: Change;
}

/** A change, and what takes it back; undefined: nothing does. */
interface Meant {
  readonly change: Change;
  readonly undo: Change | undefined;
  /** Called once it is made. */
  readonly onMade?: () => void;
}

export class Work {
  readonly proposal = new Store<Proposal | undefined>(undefined);
  /** The youngest is the last. */
  readonly made = new Store<readonly Made[]>([]);
  /** Where what is new goes to; undefined: into no lab. */
  readonly lab = new Store<string | undefined>(undefined);
  #meant: (Meant & { readonly title: string }) | undefined;

  constructor(
    private readonly api: YardApi,
    private readonly yard: Store<YardView | undefined>,
    private readonly notice: Store<string>,
  ) {}

  attach(node: string, nic: string, network: string): void {
    const title = `Plug ${node}:${nic} into ${network}`;
    const before = this.#nic(node, nic)?.network;
    const where = path("nodes", node, "nics", nic);
    void this.#propose(title, this.#labOf(node), (text) => attachNic(text, { node, nic }, network), {
      change: { method: "PATCH", path: where, body: { network } },
      undo: before ? { method: "PATCH", path: where, body: { network: before } } : undefined,
    });
  }

  wire(from: string, to: string): void {
    const [one, other] = [placeOf(from), placeOf(to)];
    void this.#propose(`Join ${from} and ${to} by a wire`, this.#labOf(one.node), (text) => addLink(text, one, other));
  }

  unwire(link: string): void {
    const { node } = placeOf(link);
    void this.#propose(`Cut the wire ${link}`, this.#labOf(node), (text) => removeLink(text, link));
  }

  /** @param spec as a lab file has it */
  addNode(name: string, spec: object): void {
    void this.#propose(`Add the node ${name}`, this.lab.get(), (text) => addNode(text, name, spec), {
      change: { method: "POST", path: "/nodes", body: { name, spec } },
      undo: { method: "DELETE", path: path("nodes", name) },
    });
  }

  addNetwork(name: string, spec: object): void {
    void this.#propose(`Add the network ${name}`, this.lab.get(), (text) => addNetwork(text, name, spec), {
      change: { method: "POST", path: "/networks", body: { name, spec } },
      undo: { method: "DELETE", path: path("networks", name) },
    });
  }

  addNic(node: string, network: string | undefined): void {
    void this.#propose(
      `Give ${node} a nic${network === undefined ? "" : ` on ${network}`}`,
      this.#labOf(node),
      (text) => addNic(text, node, network),
      {
        change: { method: "POST", path: path("nodes", node, "nics"), body: { network: network ?? "none" } },
        undo: undefined,
      },
    );
  }

  removeNode(node: string): void {
    void this.#propose(`Remove ${node}`, this.#labOf(node), (text) => removeNode(text, node), {
      change: { method: "DELETE", path: path("nodes", node) },
      undo: undefined,
    });
  }

  removeNetwork(network: string): void {
    const lab = this.yard.get()?.networks.find(({ name }) => name === network)?.lab ?? undefined;
    void this.#propose(`Remove the network ${network}`, lab, (text) => removeNetwork(text, network), {
      change: { method: "DELETE", path: path("networks", network) },
      undo: undefined,
    });
  }

  removeNic(node: string, nic: string): void {
    void this.#propose(
      `Take the nic ${nic} away from ${node}`,
      this.#labOf(node),
      (text) => removeNic(text, { node, nic }),
      {
        change: { method: "DELETE", path: path("nodes", node, "nics", nic) },
        undo: undefined,
      },
    );
  }

  spy(node: string, nic: string, on: boolean): void {
    const where = path("nodes", node, "nics", nic, "spy");
    const title = on ? `Spy on ${node}:${nic}` : `Spy on ${node}:${nic} no longer`;
    void this.#propose(title, this.#labOf(node), (text) => setSpy(text, { node, nic }, on), {
      change: { method: "PUT", path: where, body: { on } },
      undo: { method: "PUT", path: where, body: { on: !on } },
    });
  }

  /** What it would do to impair something so. @throws ApiError */
  async impairPlan(what: Impaired, impair: ImpairWritten): Promise<readonly Step[]> {
    return (await this.api.plan(impairChange(what, impair))).plan ?? [];
  }

  /** Impairs something while sliders move: it is not written into the lab file. @throws ApiError */
  async impairNow(what: Impaired, impair: ImpairWritten): Promise<void> {
    await this.api.make(impairChange(what, impair));
  }

  /** Has it as it was before sliders were moved. */
  async impairBack(what: Impaired, was: ImpairWritten): Promise<void> {
    await this.impairNow(what, was).catch((thrown: unknown) => this.notice.set(problemText(thrown)));
  }

  /**
   * Impairs something for good: the lab file says so.
   *
   * @param before how it was before sliders were moved, which undo brings back
   */
  async impair(what: Impaired, impair: ImpairWritten, before: ImpairWritten): Promise<void> {
    const title = `Impair ${impairedText(what)}`;
    try {
      const view = this.yard.get();
      const meant = await this.#meaning(view && labOf(view, what), (text) => withImpair(text, what, impair), {
        change: impairChange(what, impair),
        undo: impairChange(what, before),
      });
      await this.api.make(meant.change);
      this.#remember(title, meant.undo);
      this.notice.set(`${title}: done`);
    } catch (thrown) {
      this.notice.set(`${title}: ${problemText(thrown)}`);
    }
  }

  /**
   * Declares the text of a lab, after its plan was seen.
   *
   * @param before what its file says; when it says something else by then, the change is refused. Undefined: there is none
   */
  declare(
    lab: string,
    text: string,
    before: { readonly file: string; readonly etag: string | null } | undefined,
  ): void {
    const put = (declared: string): Change => ({ method: "PUT", path: path("labs", lab), body: { text: declared } });
    const undo = before === undefined ? { method: "DELETE" as const, path: path("labs", lab) } : put(before.file);
    const ifMatch = before?.etag ?? undefined;
    const change = { ...put(text), ...(ifMatch === undefined ? {} : { ifMatch }) };
    void this.#look(`Change the lab ${lab}`, { change, undo, onMade: () => this.lab.set(lab) });
  }

  /** Takes a lab away; its file stays. */
  async down(lab: string): Promise<void> {
    const { text } = await this.api.lab(lab);
    const undo: Change | undefined =
      text === null ? undefined : { method: "PUT", path: path("labs", lab), body: { text } };
    await this.#look(`Take the lab ${lab} down`, { change: { method: "DELETE", path: path("labs", lab) }, undo });
  }

  /** Has a node run no longer, or again. */
  power(node: string, action: "stop" | "start"): void {
    const to = (what: string): Change => ({ method: "POST", path: path("nodes", node, what) });
    const [title, back] = action === "stop" ? [`Stop ${node}`, "start"] : [`Start ${node}`, "stop"];
    void this.#look(title, { change: to(action), undo: to(back) });
  }

  /** Something about a node that is done and not declared: `pause`. */
  async command(title: string, change: Change): Promise<void> {
    try {
      await this.api.make(change);
      this.notice.set(`${title}: done`);
    } catch (thrown) {
      this.notice.set(`${title}: ${problemText(thrown)}`);
    }
  }

  /** Makes what is proposed. */
  async make(): Promise<void> {
    const [meant, proposal] = [this.#meant, this.proposal.get()];
    if (meant === undefined || proposal === undefined || proposal.isMaking) return;
    this.proposal.set({ ...proposal, isMaking: true, problem: undefined });
    try {
      const { failures } = await this.api.make(meant.change);
      this.#remember(meant.title, meant.undo);
      meant.onMade?.();
      this.drop();
      this.notice.set(failures.length === 0 ? `${meant.title}: done` : `${meant.title}: ${failures.join("; ")}`);
    } catch (thrown) {
      this.proposal.set({ ...proposal, isMaking: false, problem: problemText(thrown) });
    }
  }

  /** Forgets what is proposed. */
  drop(): void {
    this.#meant = undefined;
    this.proposal.set(undefined);
  }

  /** Takes the last change back. */
  async undo(): Promise<void> {
    const last = this.made.get().at(-1);
    if (last === undefined) return;
    this.made.update((made) => made.slice(0, -1));
    try {
      await this.api.make(last.undo);
      this.notice.set(`Undone: ${last.title}`);
    } catch (thrown) {
      this.made.update((made) => [...made, last]);
      this.notice.set(`Not undone: ${problemText(thrown)}`);
    }
  }

  /**
   * Proposes a change: of the text of the lab that it is about, and where there is none by a request of its own.
   *
   * @param otherwise undefined: it can be done in a lab's text only
   */
  async #propose(
    title: string,
    lab: string | undefined,
    edit: (text: string) => string,
    otherwise?: Meant,
  ): Promise<void> {
    try {
      await this.#look(title, await this.#meaning(lab, edit, otherwise));
    } catch (thrown) {
      this.proposal.set(proposed(title, { problem: problemText(thrown) }));
    }
  }

  async #meaning(
    lab: string | undefined,
    edit: (text: string) => string,
    otherwise: Meant | undefined,
  ): Promise<Meant> {
    const { text, etag } = lab === undefined ? { text: null, etag: null } : await this.api.lab(lab);
    if (lab !== undefined && text !== null) {
      const put = (to: string): Change => ({ method: "PUT", path: path("labs", lab), body: { text: to } });
      return { change: { ...put(edit(text)), ...(etag === null ? {} : { ifMatch: etag }) }, undo: put(text) };
    }
    if (otherwise !== undefined) return otherwise;
    throw new Error("this can be done in a lab that has a file only: choose or make one above");
  }

  async #look(title: string, meant: Meant): Promise<void> {
    this.#meant = { ...meant, title };
    const isStill = () => this.#meant?.change === meant.change;
    const canUndo = meant.undo !== undefined;
    this.proposal.set(proposed(title, { canUndo }));
    try {
      const { plan } = await this.api.plan(meant.change);
      if (isStill()) this.proposal.set(proposed(title, { canUndo, plan: plan ?? [] }));
    } catch (thrown) {
      if (isStill()) this.proposal.set(proposed(title, { canUndo, problem: problemText(thrown) }));
    }
  }

  #remember(title: string, undo: Change | undefined): void {
    if (undo !== undefined) this.made.update((made) => [...made, { title, undo }]);
  }

  #node(name: string): NodeView | undefined {
    return this.yard.get()?.nodes.find((node) => node.name === name);
  }

  #nic(node: string, name: string) {
    return this.#node(node)?.nics.find((nic) => nic.name === name);
  }

  #labOf(node: string): string | undefined {
    return this.#node(node)?.lab ?? undefined;
  }
}

/** A proposal of which more is not known. */
function proposed(title: string, known: Partial<Proposal>): Proposal {
  return { title, plan: undefined, problem: undefined, isMaking: false, canUndo: true, ...known };
}

/** Of `node:nic`, and of the first end of a link. */
function placeOf(text: string): { readonly node: string; readonly nic: string } {
  const [node = "", nic = ""] = (text.split("--")[0] ?? "").split(":");
  return { node, nic };
}

/** A way without any setting is off, and what a setting was before stays no longer. */
function impairChange(what: Impaired, { forward, backward }: ImpairWritten): Change {
  const way = (of: Readonly<Record<string, string>>) => (Object.keys(of).length === 0 ? "off" : of);
  return { method: "PATCH", path: impairedPath(what), body: { forward: way(forward), backward: way(backward) } };
}

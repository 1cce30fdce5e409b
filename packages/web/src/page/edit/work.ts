/** Changes on their way: proposed by a gesture, shown as the plan that they are, made, and undone. */
import { type Change, path, type Step, type YardApi } from "../api/api.ts";
import type { NodeView, YardView } from "../api/contract.ts";
import { problemText } from "../api/problem.ts";
import { Store } from "../state/store.ts";
import { History } from "./history.ts";
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
}

/** A change. */
interface Meant {
  readonly change: Change;
  /** Called once it is made. */
  readonly onMade?: () => void;
}

export class Work {
  readonly proposal = new Store<Proposal | undefined>(undefined);
  readonly history: History;
  /** Where what is new goes to; undefined: into no lab. */
  readonly lab = new Store<string | undefined>(undefined);
  #meant: (Meant & { readonly title: string }) | undefined;

  constructor(
    private readonly api: YardApi,
    private readonly yard: Store<YardView | undefined>,
    private readonly notice: Store<string>,
  ) {
    this.history = new History(api, notice);
  }

  attach(node: string, nic: string, network: string): void {
    const title = `Plug ${node}:${nic} into ${network}`;
    const where = path("nodes", node, "nics", nic);
    void this.#propose(title, this.#labOf(node), (text) => attachNic(text, { node, nic }, network), {
      change: { method: "PATCH", path: where, body: { network } },
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
    });
  }

  addNetwork(name: string, spec: object): void {
    void this.#propose(`Add the network ${name}`, this.lab.get(), (text) => addNetwork(text, name, spec), {
      change: { method: "POST", path: "/networks", body: { name, spec } },
    });
  }

  addNic(node: string, network: string | undefined): void {
    void this.#propose(
      `Give ${node} a nic${network === undefined ? "" : ` on ${network}`}`,
      this.#labOf(node),
      (text) => addNic(text, node, network),
      {
        change: { method: "POST", path: path("nodes", node, "nics"), body: { network: network ?? "none" } },
      },
    );
  }

  removeNode(node: string): void {
    void this.#propose(`Remove ${node}`, this.#labOf(node), (text) => removeNode(text, node), {
      change: { method: "DELETE", path: path("nodes", node) },
    });
  }

  removeNetwork(network: string): void {
    const lab = this.yard.get()?.networks.find(({ name }) => name === network)?.lab ?? undefined;
    void this.#propose(`Remove the network ${network}`, lab, (text) => removeNetwork(text, network), {
      change: { method: "DELETE", path: path("networks", network) },
    });
  }

  removeNic(node: string, nic: string): void {
    void this.#propose(
      `Take the nic ${nic} away from ${node}`,
      this.#labOf(node),
      (text) => removeNic(text, { node, nic }),
      {
        change: { method: "DELETE", path: path("nodes", node, "nics", nic) },
      },
    );
  }

  spy(node: string, nic: string, on: boolean): void {
    const where = path("nodes", node, "nics", nic, "spy");
    const title = on ? `Spy on ${node}:${nic}` : `Spy on ${node}:${nic} no longer`;
    void this.#propose(title, this.#labOf(node), (text) => setSpy(text, { node, nic }, on), {
      change: { method: "PUT", path: where, body: { on } },
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

  /** Takes back what was felt while sliders moved. */
  async impairBack(what: Impaired, was: ImpairWritten, since: number): Promise<void> {
    try {
      await this.history.undoSince(since);
      // What sliders did just before may be one step with it, and stands otherwise than it was.
      await this.impairNow(what, was);
    } catch (thrown) {
      this.notice.set(`Impair ${impairedText(what)}: ${problemText(thrown)}`);
    }
  }

  /**
   * Impairs something for good: the lab file says so.
   *
   * @param since the step of the history before sliders were moved: undo takes back all that was done since
   */
  async impair(what: Impaired, impair: ImpairWritten, since: number): Promise<void> {
    const title = `Impair ${impairedText(what)}`;
    try {
      const view = this.yard.get();
      const { change } = await this.#meaning(view && labOf(view, what), (text) => withImpair(text, what, impair), {
        change: impairChange(what, impair),
      });
      await this.api.make(change);
      await this.history.name(title, since);
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
  declare(lab: string, text: string, before: { readonly etag: string | null } | undefined): void {
    const ifMatch = before?.etag ?? undefined;
    const put: Change = { method: "PUT", path: path("labs", lab), body: { text } };
    const change = { ...put, ...(ifMatch === undefined ? {} : { ifMatch }) };
    void this.#look(`Change the lab ${lab}`, { change, onMade: () => this.lab.set(lab) });
  }

  /** Takes a lab away; its file stays. */
  down(lab: string): void {
    void this.#look(`Take the lab ${lab} down`, { change: { method: "DELETE", path: path("labs", lab) } });
  }

  /** Has a node run no longer, or again. */
  power(node: string, action: "stop" | "start"): void {
    const title = action === "stop" ? `Stop ${node}` : `Start ${node}`;
    void this.#look(title, { change: { method: "POST", path: path("nodes", node, action) } });
  }

  /** Presses a button of a virtual machine, as the API calls it. */
  press(node: string, title: string, action: "pause" | "resume" | "reset"): void {
    const change: Change = { method: "POST", path: path("nodes", node, "power"), body: { action } };
    void this.#look(`${title} ${node}`, { change });
  }

  /** Makes what is proposed. */
  async make(): Promise<void> {
    const [meant, proposal] = [this.#meant, this.proposal.get()];
    if (meant === undefined || proposal === undefined || proposal.isMaking) return;
    this.proposal.set({ ...proposal, isMaking: true, problem: undefined });
    try {
      const since = this.history.last();
      const { failures } = await this.api.make(meant.change);
      await this.history.name(meant.title, since);
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
      const put: Change = { method: "PUT", path: path("labs", lab), body: { text: edit(text) } };
      return { change: { ...put, ...(etag === null ? {} : { ifMatch: etag }) } };
    }
    if (otherwise !== undefined) return otherwise;
    throw new Error("this can be done in a lab that has a file only: choose or make one above");
  }

  async #look(title: string, meant: Meant): Promise<void> {
    this.#meant = { ...meant, title };
    const isStill = () => this.#meant?.change === meant.change;
    this.proposal.set(proposed(title, {}));
    try {
      const { plan } = await this.api.plan(meant.change);
      if (isStill()) this.proposal.set(proposed(title, { plan: plan ?? [] }));
    } catch (thrown) {
      if (isStill()) this.proposal.set(proposed(title, { problem: problemText(thrown) }));
    }
  }

  #node(name: string): NodeView | undefined {
    return this.yard.get()?.nodes.find((node) => node.name === name);
  }

  #labOf(node: string): string | undefined {
    return this.#node(node)?.lab ?? undefined;
  }
}

/** A proposal of which more is not known. */
function proposed(title: string, known: Partial<Proposal>): Proposal {
  return { title, plan: undefined, problem: undefined, isMaking: false, ...known };
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

import { mkdirSync } from "node:fs";
import {
  MountWatch,
  type NamespaceRef,
  type NamespaceView,
  namespaceId,
  namespaceKey,
  peerNames,
  viewNamespacesInSlices,
  watchFolder,
  watchPeers,
} from "@switchyard/linux";

/** Where namespaces have their names, ip-netns(8). */
const NETNS_DIR = "/run/netns";

/** A view, and how one knows that it still holds. */
interface Held {
  readonly view: NamespaceView;
  /** The inode of the namespace: one of the same name may be made anew. */
  readonly id: number | undefined;
  /** The count of changes of mounts by which that was so: with none since, the name stands for the same one. */
  mounts: number;
}

/**
 * The links, addresses and routes of namespaces, kept up to date by the kernel's own events: only what has changed is
 * read again, so that looking at a thousand nodes costs what has happened to them.
 */
export class NamespaceViews {
  readonly #held = new Map<string, Held>();
  /** By the number that the watched namespace has for its peer: only those that have one are told of. */
  readonly #names = new Map<number, string>();
  readonly #catchUp: () => void;
  readonly #watch = new MountWatch();
  /** How often mounts were found changed. */
  #mounts = 0;

  constructor(
    /** The namespace of the switch: every nic has its other end there. */
    private readonly home: NamespaceRef,
    /** How the names of the nodes' namespaces begin. */
    prefix: string,
    onChange: () => void,
    signal: AbortSignal,
  ) {
    this.#catchUp = watchPeers(
      home,
      (where) => {
        if (where === "overrun") this.#held.clear();
        else if (!this.#stale(where)) return;
        onChange();
      },
      signal,
    );
    // A namespace that loses its name while something lives in it is no event of the kernel's.
    mkdirSync(NETNS_DIR, { recursive: true, mode: 0o755 });
    const watch = watchFolder(NETNS_DIR, (names) => {
      if (names === undefined || [...names].some((name) => name.startsWith(prefix))) onChange();
    });
    signal.addEventListener(
      "abort",
      () => {
        watch[Symbol.dispose]();
        this.#watch[Symbol.dispose]();
      },
      { once: true },
    );
  }

  /** Forgets what has changed. @returns whether any of it is of concern */
  #stale(where: ReadonlySet<number | undefined>): boolean {
    let concerned = false;
    for (const peer of where) {
      const name = peer === undefined ? namespaceKey(this.home) : this.#names.get(peer);
      if (name === undefined) continue;
      this.#held.delete(name);
      concerned = true;
    }
    return concerned;
  }

  /**
   * The views of namespaces, by their keys.
   *
   * @param host whether something of ours hangs on the host's own links, so that we must hear of them
   */
  async read(refs: readonly NamespaceRef[], host = false): Promise<Map<string, NamespaceView>> {
    this.#catchUp();
    if (this.#watch.changed()) this.#mounts++;
    const mounts = this.#mounts;
    const found = new Map<string, NamespaceView>();
    const unknown = new Map<string, { readonly ref: NamespaceRef; readonly id: number | undefined }>();
    for (const ref of refs) {
      const key = namespaceKey(ref);
      const held = this.#held.get(key);
      // What a process is in, and what a path leads to, may change without a mount.
      const named = ref === "self" || "name" in ref;
      const id = named && held?.mounts === mounts ? held.id : namespaceId(ref);
      if (held && held.id === id) {
        held.mounts = mounts;
        found.set(key, held.view);
      } else unknown.set(key, { ref, id });
    }
    const unread = Array.from(unknown.values(), ({ ref }) => ref);
    // Numbered before they are read, so that no change after the reading goes unnoticed.
    const watched = this.#number(unread, host).add(namespaceKey(this.home));
    for (const [key, view] of await viewNamespacesInSlices(unread)) {
      found.set(key, view);
      if (watched.has(key)) this.#held.set(key, { view, id: unknown.get(key)?.id, mounts });
    }
    return found;
  }

  #number(refs: readonly NamespaceRef[], host: boolean): Set<string> {
    const [own, others] = [refs.filter((ref) => ref === "self"), refs.filter((ref) => ref !== "self")];
    // One in which no nic leads to the switch has no number by itself.
    const peers = new Map([...peerNames(this.home, others, true), ...peerNames(this.home, own, host)]);
    for (const [number, key] of peers) this.#names.set(number, key);
    return new Set(peers.values());
  }

  /** Forgets what is held of namespaces, before they are changed by us. */
  forget(refs: Iterable<NamespaceRef>): void {
    for (const ref of refs) this.#held.delete(namespaceKey(ref));
  }
}

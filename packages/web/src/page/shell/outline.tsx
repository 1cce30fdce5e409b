import { memo, useEffect, useRef, useState } from "react";
import type { BridgeView, NodeView } from "../api/contract.ts";
import { usePage } from "../state/page.ts";
import { useStore } from "../state/store.ts";
import { type MenuSubject, openMenuBelow } from "../topology/menu-state.ts";
import { networkText } from "../topology/network-box.tsx";
import { kindText } from "../topology/node-box.tsx";

/** The whole yard as a list: for the keyboard, for screen readers, and for finding things. */
export function Outline() {
  const { yard } = usePage();
  const view = useStore(yard, (it) => it);
  const [wanted, setWanted] = useState("");
  const field = useRef<HTMLInputElement>(null);
  // Whoever opens the list goes on from there, however much stands before it.
  useEffect(() => field.current?.focus(), []);
  const isWanted = (...names: readonly string[]) =>
    names.some((name) => name.toLowerCase().includes(wanted.toLowerCase().trim()));
  const networks = view?.networks.filter(({ name }) => isWanted(name)) ?? [];
  const nodes = view?.nodes.filter(({ name, nics }) => isWanted(name, ...nics.flatMap((nic) => nic.addresses))) ?? [];
  const links = view?.links.filter(({ name }) => isWanted(name)) ?? [];
  return (
    <aside className="side" aria-label="List of the yard">
      <header>
        <input
          ref={field}
          type="search"
          aria-label="Find by name or address"
          placeholder="find by name or address"
          value={wanted}
          onChange={({ target }) => setWanted(target.value)}
        />
        <span className="status" role="status">
          {networks.length} networks, {nodes.length} nodes
        </span>
      </header>
      <h2 className="outline">Networks</h2>
      <ul className="outline">
        {networks.map((network) => (
          <li key={network.name}>
            <MenuButton subject={{ kind: "network", network: network.name }} text={network.name} /> {network.state},{" "}
            {networkText(network)}
            {network.error === null ? null : <div className="alert">{network.error.message}</div>}
          </li>
        ))}
      </ul>
      <h2 className="outline">Nodes</h2>
      <ul className="outline">
        {nodes.map((node) => (
          <OutlineNode key={node.name} node={node} />
        ))}
      </ul>
      <h2 className="outline">Wires</h2>
      <ul className="outline">
        {links.map(({ name }) => (
          <li key={name}>
            <MenuButton subject={{ kind: "link", link: name }} text={name} />
          </li>
        ))}
      </ul>
      <HostBridges bridges={view?.bridges ?? []} />
    </aside>
  );
}

/** Bridges of the kernel's own, which commands make. */
function HostBridges({ bridges }: { bridges: readonly BridgeView[] }) {
  if (bridges.length === 0) return null;
  return (
    <>
      <h2 className="outline">Bridges of the host</h2>
      <ul className="outline">
        {bridges.map(({ name, state, cidr, nat, error }) => (
          <li key={name}>
            <strong>{name}</strong> {state}, {cidr ?? "no address"}
            {nat ? ", with NAT" : ""}
            {error === null ? null : <div className="alert">{error.message}</div>}
          </li>
        ))}
      </ul>
    </>
  );
}

const OutlineNode = memo(function OutlineNode({ node }: { node: NodeView }) {
  return (
    <li>
      <MenuButton subject={{ kind: "node", node: node.name }} text={node.name} /> {kindText(node)}, {node.state}
      {node.error === null ? null : <div className="alert">{node.error.message}</div>}
      <ul>
        {node.nics.map((nic) => (
          <li key={nic.name}>
            <MenuButton subject={{ kind: "nic", node: node.name, nic: nic.name }} text={nic.name} /> {nic.state}
            {nic.network === null ? "" : `, on ${nic.network}`} <span className="mono">{nic.addresses.join(" ")}</span>
            {nic.spy === null ? "" : ", spied on"}
            {nic.error === null ? null : <div className="alert">{nic.error.message}</div>}
          </li>
        ))}
      </ul>
    </li>
  );
});

/** A thing's name, which opens its menu. */
function MenuButton({ subject, text }: { subject: MenuSubject; text: string }) {
  return (
    <button type="button" aria-haspopup="menu" onClick={({ currentTarget }) => openMenuBelow(currentTarget, subject)}>
      {text}
    </button>
  );
}

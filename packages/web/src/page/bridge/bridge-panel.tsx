import { useCallback, useEffect, useState } from "react";
import { path } from "../api/api.ts";
import { problemText } from "../api/problem.ts";
import { usePage } from "../state/page.ts";

interface LearntMac {
  readonly mac: string;
  readonly vlan: number;
  readonly port: string | null;
  readonly age: number | null;
}

interface Flow {
  readonly table: number;
  readonly priority: number;
  readonly match: string;
  readonly actions: string;
  readonly packets: number;
  readonly bytes: number;
}

interface Known {
  readonly macs: readonly LearntMac[];
  readonly flows: readonly Flow[];
}

/** What a bridge has learnt, and by what rules it passes frames on. */
export default function BridgePanel({ bridge }: { bridge: string }) {
  const { api } = usePage();
  const [known, setKnown] = useState<Known>({ macs: [], flows: [] });
  const [problem, setProblem] = useState("");
  const read = useCallback(async () => {
    try {
      const [macs, flows] = await Promise.all([
        api.get(`${path("bridges", bridge)}/macs`),
        api.get(`${path("bridges", bridge)}/flows`),
      ]);
      setKnown({ macs: macs as LearntMac[], flows: flows as Flow[] });
      setProblem("");
    } catch (thrown) {
      setProblem(problemText(thrown));
    }
  }, [api, bridge]);
  useEffect(() => void read(), [read]);
  return (
    <div className="bridge" data-bridge={bridge}>
      <div>
        <button type="button" onClick={() => void read()}>
          Read again
        </button>
      </div>
      {problem === "" ? null : (
        <p className="alert" role="alert">
          {problem}
        </p>
      )}
      <MacTable macs={known.macs} portText={usePortText()} />
      <FlowTable flows={known.flows} />
    </div>
  );
}

/** A port in people's words: whose nic it is. */
export function usePortText(): (port: string) => string {
  const { yard } = usePage();
  return useCallback(
    (port: string) => {
      for (const node of yard.get()?.nodes ?? [])
        for (const nic of node.nics) if (nic.port === port) return `${node.name}:${nic.name}`;
      return port;
    },
    [yard],
  );
}

function MacTable({ macs, portText }: { macs: readonly LearntMac[]; portText: (port: string) => string }) {
  return (
    <section>
      <h3>Addresses it has learnt</h3>
      <table>
        <thead>
          <tr>
            <th>MAC</th>
            <th>VLAN</th>
            <th>At</th>
            <th>Seen, seconds ago</th>
          </tr>
        </thead>
        <tbody>
          {macs.map(({ mac, vlan, port, age }) => (
            <tr key={`${mac} ${vlan}`}>
              <td className="mono">{mac}</td>
              <td>{vlan}</td>
              <td>{port === null ? "?" : portText(port)}</td>
              <td>{age ?? ""}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {macs.length === 0 ? <p className="status">None yet.</p> : null}
    </section>
  );
}

function FlowTable({ flows }: { flows: readonly Flow[] }) {
  return (
    <section>
      <h3>Flows</h3>
      <table>
        <thead>
          <tr>
            <th>Table</th>
            <th>Priority</th>
            <th>Match</th>
            <th>Actions</th>
            <th>Packets</th>
            <th>Bytes</th>
          </tr>
        </thead>
        <tbody>
          {flows.map((flow) => (
            <tr key={`${flow.table} ${flow.priority} ${flow.match}`}>
              <td>{flow.table}</td>
              <td>{flow.priority}</td>
              <td className="mono">{flow.match || "all"}</td>
              <td className="mono">{flow.actions}</td>
              <td>{flow.packets}</td>
              <td>{flow.bytes}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

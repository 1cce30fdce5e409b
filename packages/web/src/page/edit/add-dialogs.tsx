import { type FormEvent, type ReactNode, useState } from "react";
import { usePage } from "../state/page.ts";
import { useStore } from "../state/store.ts";
import { Modal } from "./modal.tsx";
import { type Asked, KINDS, type Kind, type NetworkType, networkSpec, nodeSpec, TYPES } from "./specs.ts";

/** As the lab file has names. */
const NAME = "[A-Za-z0-9][A-Za-z0-9_.\\-]{0,62}";

/** A form in a dialog; what it asks is what `fields` shows. */
function AddForm(props: { title: string; submit: string; onSubmit: (form: FormData) => void; children: ReactNode }) {
  const { dialog } = usePage();
  const close = () => dialog.set(undefined);
  const onSubmit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    close();
    props.onSubmit(form);
  };
  return (
    <Modal title={props.title} onClose={close}>
      <form onSubmit={onSubmit}>
        {props.children}
        <div className="actions">
          <button type="button" onClick={close}>
            Cancel
          </button>
          <button type="submit" className="primary">
            {props.submit}
          </button>
        </div>
      </form>
    </Modal>
  );
}

function Field(props: {
  label: string;
  name: string;
  hint?: string;
  required?: boolean;
  pattern?: string;
  value?: string;
}) {
  const { label, name, hint, required = false, pattern, value = "" } = props;
  return (
    <label>
      {label}
      <input
        name={name}
        placeholder={hint}
        required={required}
        pattern={pattern}
        defaultValue={value}
        autoComplete="off"
      />
    </label>
  );
}

function Fields({ asked }: { asked: readonly Asked[] }) {
  return asked.map(({ name, label, hint = "", required = false }) => (
    <Field key={name} name={name} label={label} hint={hint} required={required} />
  ));
}

function text(form: FormData, name: string): string {
  const value = form.get(name);
  return typeof value === "string" ? value.trim() : "";
}

export function AddNodeDialog() {
  const { work } = usePage();
  const [kind, setKind] = useState<Kind>("netns");
  return (
    <AddForm
      title="Add a node"
      submit="See the plan"
      onSubmit={(form) =>
        work.addNode(
          text(form, "name"),
          nodeSpec(kind, (name) => text(form, name)),
        )
      }
    >
      <Field label="Name" name="name" required pattern={NAME} />
      <label>
        Kind
        <select
          value={kind}
          onChange={({ target }) => setKind(KINDS.find(({ kind }) => kind === target.value)?.kind ?? "netns")}
        >
          {KINDS.map(({ kind, title }) => (
            <option key={kind} value={kind}>
              {title}
            </option>
          ))}
        </select>
      </label>
      <Fields asked={KINDS.find((it) => it.kind === kind)?.fields ?? []} />
      <NetworkChoice label={kind === "a2b" ? "First network" : "Network"} name="network" />
      {kind === "a2b" ? <NetworkChoice label="Second network" name="network2" /> : null}
    </AddForm>
  );
}

function NetworkChoice({ label, name }: { label: string; name: string }) {
  const { yard } = usePage();
  const networks = useStore(yard, (view) => view?.networks) ?? [];
  return (
    <label>
      {label}
      <select name={name}>
        <option value="">none</option>
        {networks.map((network) => (
          <option key={network.name}>{network.name}</option>
        ))}
      </select>
    </label>
  );
}

export function AddNetworkDialog() {
  const { work } = usePage();
  const [type, setType] = useState<NetworkType>("lan");
  return (
    <AddForm
      title="Add a network"
      submit="See the plan"
      onSubmit={(form) =>
        work.addNetwork(
          text(form, "name"),
          networkSpec(type, (name) => text(form, name)),
        )
      }
    >
      <Field label="Name" name="name" required pattern={NAME} />
      <label>
        Type
        <select
          value={type}
          onChange={({ target }) => setType(TYPES.find(({ type }) => type === target.value)?.type ?? "lan")}
        >
          {TYPES.map(({ type, title }) => (
            <option key={type} value={type}>
              {title}
            </option>
          ))}
        </select>
      </label>
      <Fields asked={TYPES.find((it) => it.type === type)?.fields ?? []} />
      <Field label="Subnet" name="cidr" hint="10.1.0.0/24" />
    </AddForm>
  );
}

export function AddLabDialog() {
  const { work } = usePage();
  const [kept, setKept] = useState("");
  return (
    <AddForm
      title="Add a lab"
      submit="See the plan"
      onSubmit={(form) => {
        const name = text(form, "name");
        work.declare(name, kept === "" ? `name: ${name}\n` : kept, undefined);
      }}
    >
      <Field
        label="Name"
        name="name"
        required
        pattern={NAME}
        value={/^name:\s*(\S+)/m.exec(kept)?.[1] ?? ""}
        key={kept}
      />
      <label>
        From a file (or empty)
        <input
          type="file"
          accept=".yaml,.yml"
          onChange={({ target }) => void target.files?.[0]?.text().then(setKept)}
        />
      </label>
    </AddForm>
  );
}

export function AddNicDialog({ node }: { node: string }) {
  const { work } = usePage();
  return (
    <AddForm
      title={`Give ${node} a nic`}
      submit="See the plan"
      onSubmit={(form) => work.addNic(node, text(form, "network") || undefined)}
    >
      <NetworkChoice label="Network" name="network" />
    </AddForm>
  );
}

export function AttachDialog({ node, nic }: { node: string; nic: string }) {
  const { work } = usePage();
  return (
    <AddForm
      title={`Plug ${node}:${nic} into`}
      submit="See the plan"
      onSubmit={(form) => work.attach(node, nic, text(form, "network") || "none")}
    >
      <NetworkChoice label="Network" name="network" />
    </AddForm>
  );
}

export function WireDialog({ node, nic }: { node: string; nic: string }) {
  const { work, yard } = usePage();
  const own = `${node}:${nic}`;
  const nodes = useStore(yard, (view) => view?.nodes) ?? [];
  const others = nodes.flatMap(({ name, nics }) => nics.map((other) => `${name}:${other.name}`));
  return (
    <AddForm
      title={`Join ${own} by a wire to`}
      submit="See the plan"
      onSubmit={(form) => work.wire(own, text(form, "to"))}
    >
      <label>
        Nic
        <select name="to">
          {others
            .filter((other) => other !== own)
            .map((other) => (
              <option key={other}>{other}</option>
            ))}
        </select>
      </label>
    </AddForm>
  );
}

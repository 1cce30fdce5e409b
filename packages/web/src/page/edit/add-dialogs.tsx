import { type FormEvent, type ReactNode, useId, useState } from "react";
import { problemText } from "../api/problem.ts";
import { usePage } from "../state/page.ts";
import { useStore } from "../state/store.ts";
import { Modal } from "./modal.tsx";
import {
  type Asked,
  endsOf,
  furtherOf,
  KINDS,
  type Kind,
  type NetworkType,
  networkSpec,
  nodeSpec,
  TYPES,
} from "./specs.ts";

/** As the lab file has names. */
const NAME = "[A-Za-z0-9][A-Za-z0-9_.\\-]{0,62}";

/** A form in a dialog; what it asks is what `children` shows. @param onSubmit may throw what is wrong with the answers */
function AddForm(props: { title: string; submit: string; onSubmit: (form: FormData) => void; children: ReactNode }) {
  const { dialog } = usePage();
  const [problem, setProblem] = useState("");
  const close = () => dialog.set(undefined);
  const onSubmit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    try {
      props.onSubmit(new FormData(event.currentTarget));
      close();
    } catch (thrown) {
      setProblem(problemText(thrown));
    }
  };
  return (
    <Modal title={props.title} onClose={close}>
      <form onSubmit={onSubmit}>
        {props.children}
        {problem === "" ? null : (
          <p className="alert" role="alert">
            {problem}
          </p>
        )}
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
  return asked.map(({ name, label, hint = "", required = false, as, choices }) => {
    if (choices !== undefined) return <ChoiceField key={name} name={name} label={label} choices={choices} />;
    if (as === "network") return <NetworkOrBridge key={name} name={name} label={label} hint={hint} />;
    return (
      <Field
        key={name}
        name={name}
        label={label}
        hint={hint}
        required={required}
        {...(as === "number" ? { pattern: "[0-9]+" } : {})}
      />
    );
  });
}

function ChoiceField({ name, label, choices }: { name: string; label: string; choices: readonly string[] }) {
  return (
    <label>
      {label}
      <select name={name}>
        {choices.map((choice) => (
          <option key={choice}>{choice}</option>
        ))}
      </select>
    </label>
  );
}

/** A network of the yard's, or the name of a bridge that the page knows nothing of. */
function NetworkOrBridge({ name, label, hint }: { name: string; label: string; hint: string }) {
  const { yard } = usePage();
  const networks = useStore(yard, (view) => view?.networks) ?? [];
  const list = useId();
  return (
    <label>
      {label}
      <input name={name} placeholder={hint} list={list} autoComplete="off" />
      <datalist id={list}>
        {networks.map((network) => (
          <option key={network.name} value={network.name} />
        ))}
      </datalist>
    </label>
  );
}

/** Whatever else a lab file can say of it. */
function Further({ example }: { example: string }) {
  return (
    <details className="further">
      <summary>More, as the lab file writes it</summary>
      <textarea
        name="further"
        rows={4}
        className="mono"
        aria-label="More, as the lab file writes it"
        placeholder={example}
      />
    </details>
  );
}

function text(form: FormData, name: string): string {
  const value = form.get(name);
  return typeof value === "string" ? value.trim() : "";
}

/** What can be chosen, in the order of the forms. */
function keysOf<T extends object>(choices: T): (keyof T & string)[] {
  return Object.keys(choices) as (keyof T & string)[];
}

export function AddNodeDialog() {
  const { work } = usePage();
  const [kind, setKind] = useState<Kind>("netns");
  return (
    <AddForm
      title="Add a node"
      submit="See the plan"
      onSubmit={(form) =>
        work.addNode(text(form, "name"), {
          ...nodeSpec(kind, (name) => text(form, name)),
          ...furtherOf(text(form, "further")),
        })
      }
    >
      <Field label="Name" name="name" required pattern={NAME} />
      <label>
        Kind
        <select
          value={kind}
          onChange={({ target }) => setKind(keysOf(KINDS).find((it) => it === target.value) ?? kind)}
        >
          {keysOf(KINDS).map((it) => (
            <option key={it} value={it}>
              {it}: {KINDS[it].title}
            </option>
          ))}
        </select>
      </label>
      <Fields asked={KINDS[kind].fields} />
      {endsOf(kind).map((name, at, ends) => (
        <NetworkChoice
          key={name}
          label={ends.length === 1 ? "Network" : at === 0 ? "First network" : "Second network"}
          name={name}
        />
      ))}
      <Further
        example={
          kind === "container" ? "env: { GREETING: hello }\nmemory: 64M" : "nics: [{ network: lan, ip: 10.1.0.7 }]"
        }
      />
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
        work.addNetwork(text(form, "name"), {
          ...networkSpec(type, (name) => text(form, name)),
          ...furtherOf(text(form, "further")),
        })
      }
    >
      <Field label="Name" name="name" required pattern={NAME} />
      <label>
        Type
        <select
          value={type}
          onChange={({ target }) => setType(keysOf(TYPES).find((it) => it === target.value) ?? type)}
        >
          {keysOf(TYPES).map((it) => (
            <option key={it} value={it}>
              {it}: {TYPES[it].title}
            </option>
          ))}
        </select>
      </label>
      <Fields asked={TYPES[type].fields} />
      <Further example={"gateway: 10.1.0.254\nmtu: 1400"} />
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

/** @param own `node:nic`, where the wire begins; undefined: that is asked, too */
export function WireDialog({ own }: { own: string | undefined }) {
  const { work } = usePage();
  return (
    <AddForm
      title={own === undefined ? "Join two nics by a wire" : `Join ${own} by a wire to`}
      submit="See the plan"
      onSubmit={(form) => {
        const [from, to] = [own ?? text(form, "from"), text(form, "to")];
        if (from === to) throw new Error("a wire has two ends: choose another nic");
        work.wire(from, to);
      }}
    >
      {own === undefined ? <NicChoice label="From" name="from" /> : null}
      <NicChoice label={own === undefined ? "To" : "Nic"} name="to" without={own} />
    </AddForm>
  );
}

function NicChoice({ label, name, without }: { label: string; name: string; without?: string | undefined }) {
  const { yard } = usePage();
  const nodes = useStore(yard, (view) => view?.nodes) ?? [];
  const nics = nodes.flatMap((node) => node.nics.map((nic) => `${node.name}:${nic.name}`));
  return (
    <label>
      {label}
      <select name={name}>
        {nics
          .filter((nic) => nic !== without)
          .map((nic) => (
            <option key={nic}>{nic}</option>
          ))}
      </select>
    </label>
  );
}

import type { Action } from "./action.ts";
import { HOST, type LinkMaking, type NatState } from "./state.ts";
import { subjectText } from "./subject.ts";

/** An action as one line for people, `+` for what is made, `-` for what goes, `~` for what changes. */
export function describe(action: Action): string {
  return `${SIGNS[action.do]} ${subjectText(action.subject)}: ${what(action)}`;
}

const SIGNS: Readonly<Record<Action["do"], "+" | "-" | "~">> = {
  "service-stop": "-",
  "container-stop": "-",
  "container-remove": "-",
  "machine-stop": "-",
  "machine-remove": "-",
  "machine-unplug": "-",
  "namespace-delete": "-",
  "veth-delete": "-",
  "tap-delete": "-",
  "sink-delete": "-",
  "file-delete": "-",
  "file-write": "+",
  "exec-forget": "-",
  "namespace-create": "+",
  "container-create": "+",
  "container-start": "+",
  "machine-create": "+",
  "machine-plug": "+",
  "machine-start": "+",
  "namespace-adopt": "+",
  "veth-create": "+",
  "veth-set": "~",
  "tap-create": "+",
  "tap-set": "~",
  "pipe-create": "+",
  "pipe-set": "~",
  "pipe-delete": "-",
  "sink-create": "+",
  "sink-set": "~",
  "link-create": "+",
  "link-set": "~",
  "link-delete": "-",
  "link-return": "-",
  "port-delete": "-",
  "mirror-delete": "-",
  "mirror-set": "+",
  "bridge-delete": "-",
  "bridge-set": "+",
  "port-set": "+",
  "sysctl-set": "~",
  "route-delete": "-",
  "address-delete": "-",
  "address-add": "+",
  "route-add": "+",
  "underlay-set": "~",
  "underlay-clear": "-",
  "vtep-set": "+",
  "vtep-delete": "-",
  "nat-set": "+",
  "nat-delete": "-",
  "host-bridge-set": "+",
  "host-bridge-delete": "-",
  "member-add": "+",
  "member-remove": "-",
  "zerotier-join": "+",
  "zerotier-leave": "-",
  "service-start": "+",
  exec: "+",
};

function what(action: Action): string {
  switch (action.do) {
    case "service-stop":
      return `stop ${action.id}`;
    case "service-start":
      return `start ${action.id}`;
    case "zerotier-join":
      return `join the ZeroTier network ${action.state.nwid}`;
    case "zerotier-leave":
      return `leave the ZeroTier network ${action.state.nwid}`;
    case "container-stop":
      return `stop the ${action.container.runtime} container`;
    case "container-remove":
      return `remove the ${action.container.runtime} container`;
    case "container-create":
      return `create ${action.container.runtime === "oci" ? "an" : "a"} ${action.container.runtime} container from ${sourceOf(action.container.config)}`;
    case "container-start":
      return "start the container";
    case "machine-stop":
      return "shut the virtual machine down";
    case "machine-remove":
      return "remove the virtual machine";
    case "machine-unplug":
      return `unplug nic ${action.index} of the virtual machine`;
    case "machine-create":
      return "create a virtual machine";
    case "machine-plug":
      return `plug ${action.nic.tap} into the virtual machine`;
    case "machine-start":
      return "start the virtual machine";
    case "tap-delete":
      return `delete tap ${action.tap}`;
    case "tap-create":
      return `create tap ${action.tap}`;
    case "tap-set":
      return `set up ${action.tap}`;
    case "namespace-delete":
      return `delete namespace ${action.namespace}`;
    case "namespace-create":
      return `create namespace ${action.namespace}`;
    case "namespace-adopt":
      return `name the container's namespace ${action.namespace}`;
    case "veth-delete":
      return `delete link ${action.veth}`;
    case "veth-create":
      return `create link ${action.veth} to ${action.state.name} in ${placeText(action.state.namespace)}`;
    case "veth-set":
      return `set ${[
        ...(action.mac === undefined ? [] : [`address ${action.mac}`]),
        ...(action.mtu === undefined ? [] : [`mtu ${action.mtu}`]),
        ...(action.up ? ["up"] : []),
        ...(action.offloads === undefined ? [] : ["offloads off"]),
      ].join(", ")} on ${action.name}`;
    case "pipe-create":
      return `create pipe ${action.pipe} to ${action.state.far} (${action.state.by})`;
    case "pipe-set":
      return `set pipe ${action.pipe} (${action.state.by})`;
    case "pipe-delete":
      return `delete pipe ${action.pipe}`;
    case "sink-create":
      return `create link ${action.sink}`;
    case "sink-set":
      return `set up on ${action.sink}`;
    case "sink-delete":
      return `delete link ${action.sink}`;
    case "mirror-set":
      return `spy on ${action.state.port} by ${action.mirror}`;
    case "mirror-delete":
      return action.renewed ? `unplug spy ${action.mirror}` : `remove spy ${action.mirror}`;
    case "link-create":
      return `create ${action.state.name} in ${action.state.namespace}: ${makingText(action.state.making)}`;
    case "link-set":
      return `set ${[
        ...(action.mac === undefined ? [] : [`address ${action.mac}`]),
        ...(action.mtu === undefined ? [] : [`mtu ${action.mtu}`]),
        ...(action.bridge === undefined ? [] : [`bridge ${action.bridge}`]),
        ...(action.up ? ["up"] : []),
      ].join(", ")} on ${action.name}`;
    case "link-delete":
      return `delete ${action.state.name}, ${makingText(action.state.making)}`;
    case "link-return":
      return `give ${action.state.making.kind === "passthrough" ? action.state.making.parent : action.state.name} back to the host`;
    case "file-delete":
      return `delete ${action.path}`;
    case "file-write":
      return action.file.type === "text" ? `write ${action.path}` : `link ${action.path} to ${action.file.target}`;
    case "exec-forget":
      return "forget which commands have run";
    case "port-delete":
      return action.renewed ? `unplug port ${action.port}` : `delete port ${action.port}`;
    case "port-set":
      return `port ${action.port} on bridge ${action.state.bridge}${vlanText(action.state)}`;
    case "bridge-delete":
      return `delete bridge ${action.bridge}`;
    case "bridge-set":
      return `bridge ${action.bridge} (datapath ${action.state.datapath})`;
    case "underlay-set":
      return `set up ${[action.device, ...action.state.addresses].join(" ")}`;
    case "underlay-clear":
      return `remove ${action.gone.join(", ")} from ${action.device}`;
    case "vtep-set":
      return `VXLAN device ${action.vtep} by ${action.state.lower}`;
    case "vtep-delete":
      return `delete link ${action.vtep}`;
    case "sysctl-set":
      return `${action.name} = ${action.value}`;
    case "route-delete":
      return `remove route ${routeText(action.route)}`;
    case "route-add":
      return `route ${routeText(action.route)}`;
    case "address-delete":
      return `remove address ${action.address} from ${action.name}`;
    case "address-add":
      return `address ${action.address} on ${action.name}`;
    case "nat-set":
      return natText(action.device, action.state);
    case "nat-delete":
      return `no longer masquerade behind ${action.device}`;
    case "host-bridge-set":
      return `bridge ${action.bridge} of the kernel's own${action.state.addresses.length === 0 ? "" : ` with ${action.state.addresses.join(", ")}`}`;
    case "host-bridge-delete":
      return `delete bridge ${action.bridge}`;
    case "member-add":
      return `put ${action.nic} into bridge ${action.bridge}`;
    case "member-remove":
      return `take ${action.nic} out of its bridge`;
    case "exec":
      return `run ${action.state.commands.length === 1 ? "1 command" : `${action.state.commands.length} commands`}`;
  }
}

function makingText(making: LinkMaking): string {
  switch (making.kind) {
    case "bridged":
      return `on bridge ${making.bridge}`;
    case "macvlan":
      return `a macvlan of ${making.parent}`;
    case "passthrough":
      return `the NIC ${making.parent}`;
  }
}

function natText(device: string, { subnets, apart }: NatState): string {
  const parts = [
    ...(subnets.length === 0 ? [] : [`masquerade ${subnets.join(", ")}`]),
    ...(apart ? ["route nothing from other bridges"] : []),
  ];
  return `${parts.join(", ")} behind ${device}`;
}

function sourceOf(
  config: { readonly image: string | undefined; readonly rootfs: string | undefined } | undefined,
): string {
  return config?.image ?? config?.rootfs ?? "its image";
}

function placeText(namespace: string): string {
  return namespace === HOST ? "the host" : namespace;
}

function vlanText(port: { readonly tag: number | undefined; readonly trunks: readonly number[] }): string {
  const tag = port.tag === undefined ? "" : `, vlan ${port.tag}`;
  return port.trunks.length === 0 ? tag : `${tag}, trunks ${port.trunks.join(" ")}`;
}

function routeText(route: string): string {
  return route.replace(/^default[46]/, "default");
}

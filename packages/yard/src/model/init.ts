/**
 * The lab file that `yard init` writes: a small lab that runs as it is, with what may be changed in its comments.
 *
 * @param schema the path of `lab.schema.json`, by which editors complete the keys
 */
export function initialLab(name: string, schema?: string): string {
  const forEditors = schema === undefined ? "" : `# yaml-language-server: $schema=${schema}\n#\n`;
  return `${forEditors}# A lab: networks, nodes on them, and checks that prove that it works.
#   yard up       make it so (again after every edit: only the difference is applied)
#   yard check    run the checks below
#   yard down     take it away, without a trace

name: ${name}

networks:
  # A lan is a bridge of Open vSwitch. With a cidr, nics that name no address get one of it.
  office: { cidr: 10.1.0.0/24 }
  # With a gateway too, this host has that address on the lan, so it reaches the nodes and they reach it.
  servers: { cidr: 10.2.0.0/24, gateway: 10.2.0.254 }

nodes:
  # A netns is a bare network namespace: programs of this host run in it (\`yard exec pc-1 -- ping web\`).
  # count makes several: pc-1, pc-2.
  pc:
    kind: netns
    count: 2
    nics: [{ network: office, gateway: 10.1.0.100 }]

  # A node on two networks that forwards between them.
  router:
    kind: netns
    sysctls: { net.ipv4.ip_forward: 1 }
    nics:
      - { network: office, ip: 10.1.0.100/24 }
      - { network: servers, ip: 10.2.0.100/24 }

  # A container. The runtime oci needs no engine and no registry: its image busybox is made from this host's
  # busybox-static. With docker or podman, image is what that engine knows.
  web:
    kind: container
    runtime: oci
    image: busybox
    command: [httpd, -f, -p, "80", -h, /etc]
    nics: [{ network: servers, ip: 10.2.0.1/24, gateway: 10.2.0.100 }]
    # Port 8080 of this host is port 80 of the node:
    # ports: ["8080:80"]
    # More: env, binds, cpus, memory, sysctls, user, hostname, cap_add, devices, entrypoint, exec

# A wire between two nics lets every frame pass, LLDP, LACP and STP too:
# links: [{ endpoints: ["pc-1:eth1", "pc-2:eth1"], mtu: 9000 }]

checks:
  - ping: { from: pc-1, to: web }
  - tcp: { from: pc-2, to: web, port: 80 }
  - { tcp: { from: pc-1, to: router, port: 80 }, expect: fail }
`;
}

/** The lab file that `yard init` writes: a small lab that runs as it is, with what may be changed in its comments. */
export function initialLab(name: string): string {
  return `# A lab: networks, and nodes that have interfaces (nics) on them.
#
#   yard up        make it so; run it again after an edit, and only the difference is applied
#   yard plan      show that difference without applying it
#   yard check     try the checks below
#   yard exec web -- ip address
#   yard down      take it away
#
# Editors complete the keys by schemas/lab.schema.json; docs/lab-file.md explains every one.

name: ${name}

networks:
  # A plain segment: its nodes reach each other, and nobody else.
  back: { cidr: 10.20.0.0/24 }
  # With a gateway the host is on it too, and the nodes' default route leads there.
  front: { cidr: 10.10.0.0/24, gateway: 10.10.0.254 }
  # Other keys: mtu (bytes). A cidr of each family: cidr: [10.10.0.0/24, "fd10::/64"].

# What every node of a kind takes where it says nothing itself.
defaults:
  container:
    runtime: oci # without an engine; docker and podman are the others
    image: busybox # always there for oci: made on this host, not fetched

nodes:
  # A container with a web server, published as port 8080 of the host.
  web:
    kind: container
    command: [httpd, -f, -p, "80"] # the folder it shows: -h /www, with the bind below
    ports: ["8080:80"]
    nics: [front]
    # env: { GREETING: hello }
    # binds: ["./www:/www:ro"]      # a folder beside this file
    # memory: 64M
    # cpus: 0.5

  # A bare network namespace is the cheapest node. This one has a nic on each network and forwards between them.
  router:
    kind: netns
    sysctls: { net.ipv4.ip_forward: 1 }
    nics:
      - { network: front, ip: 10.10.0.1 } # a fixed address
      - { network: back, slot: 1 } # host number 1 of the network: 10.20.0.1

  # Three alike: client-1, client-2, client-3, with addresses that the network has free.
  client:
    kind: netns
    count: 3
    nics:
      - { network: back, gateway: 10.20.0.1 }
    # exec: ["ping -c 1 web"]        # commands run once the node is up; there is no shell

# Wires between two nics, past every network. The nics are made if the nodes do not declare them.
links: []
# - { endpoints: ["client-1:eth1", "client-2:eth1"] }

# What must be so once the lab is up.
checks:
  - { ping: { from: client-1, to: router } }
  - { ping: { from: client-1, to: client-3 } }
  - { tcp: { from: router, to: web, port: 80 } }
  - { tcp: { from: client-1, to: router, port: 80 }, expect: fail } # nothing listens there
`;
}

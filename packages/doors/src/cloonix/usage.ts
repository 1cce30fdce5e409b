/** What each of the commands takes. */
export const USAGE = {
  cloonix_net: "cloonix_net <net>                     start a net; it lives in the namespace cloonix_<net>",
  cloonix_cli: `cloonix_cli                           list the nets
cloonix_cli <net> <command>:
  add kvm <name> ram=<MB> cpu=<n> [eth=<s|v>*] <qcow2> [--persistent] [--no_qemu_ga] [--ssh=<user>[,<key>]] [--no_reboot]
          [--install_cdrom=<iso>] [--added_cdrom=<iso>] [--added_disk=<qcow2>] [--natplug=<n>] [--mac_addr=eth<n>:<mac>]
  add cru|zip|cvm|doc|pod <name> [eth=<s|v>*] <image> [--customer_launch="<command>"] [--startup_env="A=b C=d"]
          [--vmount="/host:/in …"] [--privileged] [--mac_addr=eth<n>:<mac>]
  add tap <name>                      an interface of the host
  add phy <nic> absorb|macvlan [<name>]  a NIC of the host
  add nat <name> [cidr=<subnet>]      the way out, with addresses by DHCP
  add a2b <name>                      two sides, and what passes between them impaired
  add c2c <name> <distant_net>        a link to the item of that name in another net
  add lan <item> <num> <lan>          plug interface <num> into a lan, which is made for the first
  del lan <item> <num> <lan>          pull it out; a lan goes with the last
  del sat|<kind> <name>               delete an item: of any kind, or of that kind
  snf <item> <num> 0|1                spy on an interface, or no longer
  cnf a2b <name> ["dir=0|1 cmd=delay|jitter|loss|duplicate|reorder|corrupt|rate|qsize val=<n>"]
  cnf lan <lan> rstp [0|1]            the Rapid Spanning Tree Protocol, for lans in a ring
  cnf nat <nat> whatip=<vm>           the address that it has given
  cnf kvm reboot <vm>
  sav <vm> <file>                     copy its disk to an image that stands for itself
  sub endp <name> <num> | sub sys <name> | pid  all of an item | its load and memory | what runs
  lst | dmp | dcf                     the commands that make all of it | what there is | where it is kept
  rma | kil                           delete all items | end the net`,
  cloonix_ovs: "cloonix_ovs <net> <words of ovs-vsctl>",
  cloonix_ssh: 'cloonix_ssh <net> <node> ["command"]',
  cloonix_scp: "cloonix_scp <net> [-r] <file> <node>:<path>, or the other way round",
  cloonix_wsk: "cloonix_wsk <net> <item> <num>         open Wireshark on an interface",
  cloonix_shk: "cloonix_shk <net> <node>               its console",
} as const;

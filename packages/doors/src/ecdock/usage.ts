export const USAGE = `ecDock's command on Switchyard: Docker containers in the slots of an Open vSwitch
Usage: ec [ options ] COMMAND [ arguments ]

Where COMMAND is one of:
create-vswitch [name] <IP/mask> [device] : Make a vswitch, connected to the given device (optional)
delete-vswitch [name]       : Remove a vswitch that has no containers
start <image> [parameters]  : Start a new container with the given image and parameters
attach <slot>               : Attach to the running container in the given slot
stop <slot>                 : Stop the container in the given slot, and remove it
restart <slot> <image> [parameters] : Start another container in the given slot
cleanup                     : Remove containers of ec's that have exited
get-test-images             : Tell which images to take

The following options can be provided, before the command or the image:
-h or --help     : Show this
--install        : Write /etc/default/ecDock, and tell which packages are needed
-q or --quiet    : Suppress log output
--slot=<num>     : Use the given slot, 1 to 127 (a free one is chosen if not provided)
--vswitch=<name> : Operate on the given vswitch (default: DEFAULT_VSWITCH of /etc/default/ecDock, or ovs0)

create-vswitch:
--usermode       : Use Open vSwitch's userspace datapath

start, restart:
--internal         : Use 'internal' ports instead of veths
--dual-nic         : Two nics, eth0 (in) and eth1 (out), bridged inside, instead of one
--eth[0..3]=<name> : Connect the given nic to the given vswitch

stop:
--no-rm : Do not remove the container after stopping it

Examples:
ec create-vswitch 10.0.0.254/24
ec --slot=1 start busybox
ec attach 1
ec stop 1`;

/** Every code that this door throws, and what to do about it; `docs/errors.md` is generated from such lists. */
export const codes = {
  "container.no-hugepages":
    "The container's switch needs hugepages, of which the host has none that are free. On the host: `echo 512 > /proc/sys/vm/nr_hugepages`.",
  "container.no-dpdk":
    "The ovs-vswitchd of the container has no DPDK. Install Debian's openvswitch-switch-dpdk and choose it: `update-alternatives --set ovs-vswitchd /usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk`.",
  "container.dpdk-failed":
    "DPDK did not start in the container; the message has its own words. It needs as many free hugepages as `dpdk-socket-mem` says, and the container the capability SYS_NICE, which `--privileged` gives, too.",
} as const;

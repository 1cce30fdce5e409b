/**
 * The system tests that the kernel of Debian is put to: those of what a kernel with its own datapath, netem, VLAN devices
 * and bonding does otherwise than one without. Docker, machines and what talks to databases alone are the same on both.
 * The longest come first.
 */
export const KERNEL_FILES: readonly string[] = [
  "packages/yard/tests/impair.test.ts",
  "packages/doors/tests/ovs.test.ts",
  "packages/yard/tests/phy.test.ts",
  "packages/yard/tests/joints-spied.test.ts",
  "packages/yard/tests/phy-kinds.test.ts",
  "packages/vswitch/tests/apply.test.ts",
  "packages/doors/tests/cni-ways.test.ts",
  "packages/doors/tests/vxlan-traffic.test.ts",
  "packages/linux/tests/sink.test.ts",
  "packages/vswitch/tests/wire.test.ts",
  "packages/yard/tests/tunnel.test.ts",
  "packages/linux/tests/kernel.test.ts",
];

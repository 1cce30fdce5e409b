import { tryRun } from "@switchyard/base";
import { dpdkContainers, prepareBase } from "../tests/dpdk-containers.ts";

/** Seconds that testpmd runs; what it tells first is before the first packet. */
const SECONDS = 12;
const MACS = ["02:00:00:00:84:00", "02:00:00:00:84:01"] as const;
const SHARED = "/var/lib/cni/usrspcni/shared";

/**
 * Packets of 64 bytes through the host's switch, from one vhost-user port to another, both ways: a container with two
 * nics, in which testpmd gives back on each what has come by the other, so that the same packets go round. The switch
 * has one core, testpmd the other.
 *
 * @returns packets a second, for each second
 */
export async function bench(): Promise<number[]> {
  await prepareBase();
  await using site = await dpdkContainers();
  for (const name of ["10-left", "20-right"]) site.network(name, {});
  const devices = MACS.flatMap((mac, n) => [
    "--vdev",
    `net_virtio_user${n},path=${SHARED}/$id/$id-eth${n},server=1,queue_size=1024,mac=${mac}`,
  ]);
  const eal = ["--lcores", "0@0,1@1", "--no-pci", "--in-memory", "--single-file-segments", ...devices];
  const peers = MACS.toReversed().map((mac, n) => `--eth-peer=${n},${mac}`);
  const own = ["--total-num-mbufs=16384", "--forward-mode=io", "--burst=128", "--tx-first", "--stats-period=1"];
  const testpmd = ["dpdk-testpmd", ...eal, "--", ...own, ...peers].join(" ");
  const command = `id=$(ls ${SHARED}); exec timeout --signal=INT ${SECONDS} ${testpmd}`;
  const script = site.script(["--privileged", "--entrypoint", "sh"], "-c", command);
  const { stdout, stderr } = await tryRun(script, { env: site.env, timeout: 60_000 });
  const rates = [...stdout.matchAll(/Rx-pps:\s+(\d+)/g)].map(([, rate]) => Number(rate));
  // One of each port a second.
  const both = rates.flatMap((rate, at) => (at % 2 === 0 ? [rate + (rates[at + 1] ?? 0)] : []));
  if (both.length < 2) throw new Error(`testpmd has told no rates: ${stdout}${stderr}`);
  return both.slice(1);
}

/** How much a virtual machine can have. */

/** MiB. */
export const MOST_MEMORY = 500_000;
export const MOST_CPUS = 128;
/** Disks are functions of one PCI slot. */
export const MOST_DISKS = 8;
/** The seed among them; the fourth of IDE's places stays free. */
export const MOST_ISOS = 3;
/** Nics in slots of the first bus. */
export const DIRECT_NICS = 21;
/** Those in the slots of a PCI bridge, of which the first is not to be had. */
export const NICS_A_BRIDGE = 31;
const BRIDGES = 4;
/**
 * Nics with interrupts of their own (MSI-X), three each. A processor has some 200 for all devices: a guest that has used
 * them up finds no more for its disks and consoles (ENOSPC). Those beyond share the four lines of the PCI bus.
 */
export const NICS_WITH_VECTORS = 48;
/** How many nics a machine can have. */
export const MOST_NICS = DIRECT_NICS + BRIDGES * NICS_A_BRIDGE;

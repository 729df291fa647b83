//! The world: time, network, disks and entropy, all from one seed, and the nodes that live in it.

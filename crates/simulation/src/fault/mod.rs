//! What goes wrong, and when: a random subset of faults every few simulated seconds, with quiet periods in between.

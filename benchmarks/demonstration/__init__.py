"""The demonstration: matrices that tune the embedded checkpoint, and the rows of running text that they need."""

"""The command `check`: whether the next node of a cluster may be worked on."""

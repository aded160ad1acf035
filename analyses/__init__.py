"""The questions of a study, one folder each, installed as `if_circuits.analyses`."""

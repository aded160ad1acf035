"""The analyses of a study, one module each, installed as `if_circuits.analyses`."""

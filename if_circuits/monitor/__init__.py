"""A local page on which a model answers while the probes of a study read along (extra `monitor`)."""

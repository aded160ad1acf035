"""Erasure of concepts from activations: one method a file, behind the protocol of `base`."""

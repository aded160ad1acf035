"""Residual-stream activations of generated responses: where they are read, how they are captured and
stored.
"""

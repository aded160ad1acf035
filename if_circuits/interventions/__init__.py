"""Interventions on the residual stream: what is done to it, where, and the hooks that do it."""

"""Localisation: at which layer and position the residual stream carries a constraint."""

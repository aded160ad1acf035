"""Figures in one style, and a study as one self-contained page."""

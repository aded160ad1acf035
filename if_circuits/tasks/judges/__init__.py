"""Judges: classifiers that say what a text is about, how it feels, whether it insults, how formal it is.

The defaults (`choice`) work offline, and are the best offline ones by measurement (`measurement`).
"""

"""Intervals, permutation tests, corrections and the written rule that turns them into verdicts."""

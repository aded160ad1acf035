"""Penalised logistic regression for many problems over one matrix: coordinates, Newton steps, batches."""

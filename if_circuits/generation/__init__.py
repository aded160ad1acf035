"""Answers: the decoding loop and its cache, batches, responses, and responses under conditions."""

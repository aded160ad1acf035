"""Planning or monitoring? Decodability along the response, against the words so far."""

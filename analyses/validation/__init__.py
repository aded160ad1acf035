"""Does the method tell the answers apart? Simulated studies, error rates, models with a planted mechanism."""

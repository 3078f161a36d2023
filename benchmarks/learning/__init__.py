"""How well leadml and its peers learn from real lead data, and how fast."""

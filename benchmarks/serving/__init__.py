"""How fast leadml and what people use instead answer over HTTP."""

"""What a score costs in process, for leadml and for what people use instead."""

"""History in, scorecard out."""

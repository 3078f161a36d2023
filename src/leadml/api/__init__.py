"""The skin for machines: routes."""

"""Drawings of the facts, one chart a module."""

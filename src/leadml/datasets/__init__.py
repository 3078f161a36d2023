"""Histories of leads: files, databases, public sets, simulations."""

from leadml.datasets.join import join_outcomes
from leadml.datasets.read import read_table
from leadml.datasets.simulate import simulate, write_history
from leadml.datasets.write import write_table

__all__ = ["join_outcomes", "read_table", "simulate", "write_history", "write_table"]

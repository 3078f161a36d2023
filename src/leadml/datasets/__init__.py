"""Histories of leads: files, databases, public sets, simulations."""

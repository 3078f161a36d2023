"""What a report says, one section a module.

Nothing is estimated here: every number shown stands in the facts. Parts whose facts
are absent are left out.
"""

"""Pages for managers, rendered from facts.

Nothing is estimated or looked up here: a page shows what its facts object says. Charts
are laid out in percent across and pixels down, without a chart library, so that text
never shrinks and the slim server draws every page.
"""

"""Facts for people, then charts, pages."""

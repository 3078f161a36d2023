"""All that leadml does, as one object."""

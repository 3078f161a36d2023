"""A real CRM beside leadml: the bridge, and a walk that proves it."""

"""Commands of the laboratory, which `swag` finds by the entry points of the distribution."""

"""The laboratory of SWAG: studies of the paper, training of the bundled networks, measurements.

It imports `swag` and never the reverse. Its commands join those of `swag` by entry points.
"""

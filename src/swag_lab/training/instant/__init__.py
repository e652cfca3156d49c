"""Training of the network that paints in one pass (`swag.instant`)."""

"""Training of a network for the style of one painting (`swag.instant.style_network`)."""

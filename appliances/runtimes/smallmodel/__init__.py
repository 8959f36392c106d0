"""A very small test model that the product builds for itself, and its server."""

"""portalctl: the client at a terminal."""

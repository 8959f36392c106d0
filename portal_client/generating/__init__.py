"""Makes portal_client/api from the OpenAPI document; for the product's developers only.

This folder is not part of the installed client.
"""

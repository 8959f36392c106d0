"""Webhooks as pure rules and one adapter: addresses, signatures, retries, and the call itself."""

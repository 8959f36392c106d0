"""Fapiao: what China's tax law wants on one, as pure rules; no rows, no clock."""

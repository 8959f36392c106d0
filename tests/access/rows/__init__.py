"""Rows of the access table, one module for each area; see tests/access/table.py."""

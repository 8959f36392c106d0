"""The bill in the columns of FOCUS, the open format that cost tools read. Pure: rows from facts."""

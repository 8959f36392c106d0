"""What this app counts: the tokens of model calls."""

DIMENSIONS = ("model", "deployment", "key")

TOKENS_IN = "appliances.tokens_in"
TOKENS_OUT = "appliances.tokens_out"

"""The embedded default: everything the product needs, brought up on one machine and taken down."""

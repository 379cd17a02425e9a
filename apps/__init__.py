"""The rooms of the house; apps/README.md draws them."""

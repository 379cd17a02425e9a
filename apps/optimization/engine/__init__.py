"""What to order, how much and why: demand paths and terms in, a plan out; no Django, no clock."""

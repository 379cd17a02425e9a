"""Tenants, people, roles, keys, scope, row-level security, audit."""

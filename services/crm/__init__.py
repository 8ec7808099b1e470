"""Customers: who they are, what they bought, what they agreed to, how they are cared for."""

"""SQL of crm, by resource."""

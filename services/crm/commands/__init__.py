"""What changes things in crm: each in one transaction."""

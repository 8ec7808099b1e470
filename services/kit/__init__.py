"""What every service of Kefu needs; knows no domain noun and imports no service."""

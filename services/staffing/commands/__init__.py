"""What changes people, contracts and rosters."""

"""Rosters of a site: shifts on a 15-minute grid with a break, weekly rules, cover by skill and quarter hour."""

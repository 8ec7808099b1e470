"""Files that people bring: purchase histories of other systems."""

"""Files that planners bring: checked line by line, every fault with its line."""

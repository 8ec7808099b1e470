"""What can be asked of intake: conversations, search, wallboard, reports, and what happens now."""

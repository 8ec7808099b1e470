"""The inbox: conversations and calls from the first word to the rating, and the promises made on the way."""

"""The commands of `kefu`, one module a topic; thin: they parse, call and print."""

"""People at work: who they are, what they can do, whether they are at their desk. Never touches conversations."""

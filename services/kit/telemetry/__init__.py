"""What runs can be seen by: JSON logs, metrics from the catalogue, traces."""

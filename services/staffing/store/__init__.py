"""SQL of staffing."""

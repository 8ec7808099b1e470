"""From replies of services to what pages show."""

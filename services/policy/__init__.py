"""Site profiles: a company's written rules as versioned, validated data. See docs/domain/profiles.md."""

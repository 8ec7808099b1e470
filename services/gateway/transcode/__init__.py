"""REST from the contracts: one generic handler built at start from descriptors and google.api.http."""

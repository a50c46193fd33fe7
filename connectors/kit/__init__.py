"""All that the author of a connector reads: contract, errors, http, sweeps, simulating, testing."""

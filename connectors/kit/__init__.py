"""What the author of a connector needs: contract, errors, HTTP, sweeps, simulators and the conformance suite."""

"""HTTP API and pages: the registry's routes, the landing page, probes and errors."""

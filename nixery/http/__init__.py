"""What clients see: the registry's routes, the landing page, errors, and the server under them."""

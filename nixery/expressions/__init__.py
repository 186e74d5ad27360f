"""The Nix side: the expression that looks up packages, and the builder's script."""

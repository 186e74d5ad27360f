"""A container registry that builds images on demand out of Nix packages."""

__version__ = "0.1.0"

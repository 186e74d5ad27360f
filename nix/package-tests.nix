# The tests that the package runs when it is built: do the libraries of this nixpkgs work together with the
# server? They cover the ways from a request to layers, manifests and blobs. scripts/test --nixpkgs runs the
# same files; scripts/test runs all of them.
[
  "tests/archive/test_cancelled.py"
  "tests/archive/test_compress.py"
  "tests/archive/test_layer_digest.py"
  "tests/http/test_manifests.py"
  "tests/http/test_pages.py"
  "tests/layers/test_dominator.py"
  "tests/logs/test_log_setup.py"
  "tests/test_at_once.py"
  "tests/test_builder.py"
  "tests/test_settings.py"
  "tests/wire/test_protocol.py"
  "tests/wire/test_server.py"
]

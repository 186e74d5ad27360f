"""What programs look for at fixed places: certificates, time zones, users."""

import os

import pytest
import trustme
from support.integration.unpacked import run
from support.served import serve

pytestmark = [
    pytest.mark.nix,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can run containers here"),
]

LIMITS = ("--ulimit=nofile=1024:1024", "--ulimit=nproc=1024:1024", "--network=none")
SERVER = """
import http.server, ssl
server = http.server.HTTPServer(("127.0.0.1", 8443), http.server.SimpleHTTPRequestHandler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("/server/server.pem")
server.socket = context.wrap_socket(server.socket, server_side=True)
print("ready", flush=True)
server.serve_forever()
"""


@pytest.fixture(scope="module")
def demo(nix_environment, demo_set, tmp_path_factory):
    """Serves real programs, with a ``cacert`` that brings one file, as that of nixpkgs.

    In a few layers, because podman copies all files for each of them.
    """
    directory = tmp_path_factory.mktemp("demo")
    settings = {"NIXERY_PKGS_PATH": str(demo_set), "NIXERY_LAYER_BUDGET": "4"}
    with serve(nix_environment, directory, **settings) as served:
        yield served


@pytest.fixture
def use(demo, podman):
    """``use(name, *options, script)``: the output of a shell in a container."""

    def use(name, *options, script):
        image = demo.image(name)
        run(*podman, "pull", "--quiet", "--tls-verify=false", image)
        start = (*podman, "--runtime=runc", "run", "--rm", *LIMITS, *options, image)
        return run(*start, "bash", "-euc", script)

    return use


def test_clients_of_openssl_and_gnutls_trust_the_mounted_authority(use, tmp_path):
    """Curl and wget; the directory of the certificates is mounted over, as clusters do it."""
    authority, server = tmp_path / "authority", tmp_path / "server"
    authority.mkdir()
    server.mkdir()
    own = trustme.CA()
    for name in ("ca-bundle.crt", "ca-certificates.crt"):
        own.cert_pem.write_to_path(authority / name)
    own.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(server / "server.pem")
    (server / "serve.py").write_text(SERVER)
    fetch = "coproc python3 /server/serve.py 2>/dev/null; read -r _ <&${COPROC[0]}; "
    fetch += "curl -sS https://localhost:8443/server/ | grep -c serve.py; "
    fetch += "wget -qO- https://localhost:8443/server/ | grep -c serve.py"
    mounts = (f"--volume={authority}:/etc/ssl/certs:ro", f"--volume={server}:/server:ro")
    said = use("shell/curl/wget/python3/gnugrep", *mounts, script=fetch)
    assert said.split() == ["1", "1"]


def test_the_bundle_has_three_names(use):
    names = "ssl/certs/ca-bundle.crt ssl/certs/ca-certificates.crt pki/tls/certs/ca-bundle.crt"
    said = use("shell", script=f"cd /etc; for name in {names}; do head -c 27 $name; echo; done")
    assert said.split("\n")[:3] == ["-----BEGIN CERTIFICATE-----"] * 3


def test_time_zones(use):
    """Not without tzdata."""
    script = "TZ=Europe/Berlin date -d @0 +%H"
    assert use("shell/tzdata", script=script) == "01\n"
    assert use("shell", script=script) == "00\n"

"""The manifests of docs/kubernetes.md: well-typed, and true of this server."""

import importlib
import re
from dataclasses import dataclass

import msgspec
import pytest
import yaml
from click.testing import CliRunner
from support.nixos_module import ROOT

from nixery import settings
from nixery.cli import main
from nixery.http.probes import CHECK_TIMEOUT, Probes
from nixery.wire.drain import TRANSFER_SECONDS, Drain

PAGE = (ROOT / "docs/kubernetes.md").read_text()
FILES = [
    list(yaml.safe_load_all(text)) for text in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
]
MANIFESTS = [manifest for file in FILES for manifest in file]
AFTERWARDS = 10
"""Seconds for builds that are cancelled, and for the end of the process."""


def named(manifest):
    return f"{manifest['kind']}-{manifest['metadata']['name']}"


def check_types(manifest):
    """Contains only fields of Kubernetes' API, with the types of that API."""
    # apps/v1 is apps_v1, networking.k8s.io/v1 is networking_v1, v1 is core_v1.
    group, _, version = manifest["apiVersion"].rpartition("/")
    module = f"lightkube.models.{group.partition('.')[0] or 'core'}_{version}"
    model = getattr(importlib.import_module(module), manifest["kind"])
    typed = msgspec.convert(manifest, model, strict=True)
    # Fields that the type does not have are ignored, and so are missing afterwards.
    assert typed.to_dict() == manifest


@pytest.mark.parametrize("manifest", MANIFESTS, ids=named)
def test_types(manifest):
    check_types(manifest)


def test_a_mistake_is_noticed():
    manifest = next(m for m in MANIFESTS if m["kind"] == "Deployment")
    for old, new in (("containerPort: 8080", 'containerPort: "8080"'), ("readinessProbe", "ready")):
        with pytest.raises((msgspec.ValidationError, AssertionError)):
            check_types(yaml.safe_load(yaml.safe_dump(manifest).replace(old, new)))


@dataclass(frozen=True, slots=True)
class Pod:
    manifests: list
    """All of its file."""
    spec: dict

    @property
    def container(self):
        (container,) = self.spec["containers"]
        return container

    @property
    def port(self):
        (port,) = self.container["ports"]
        return port

    @property
    def environment(self):
        """As in the container; everything it refers to must exist."""
        found = {
            (manifest["kind"], manifest["metadata"]["name"]): manifest.get("data", {})
            | manifest.get("stringData", {})
            for manifest in self.manifests
        }
        variables = {}
        for source in self.container.get("envFrom", []):
            for key, kind in (("configMapRef", "ConfigMap"), ("secretRef", "Secret")):
                if key in source:
                    variables |= found[kind, source[key]["name"]]
        return variables | {pair["name"]: pair["value"] for pair in self.container.get("env", [])}


def pod_of(manifest):
    template = manifest["spec"].get("jobTemplate", manifest)["spec"].get("template")
    return template["spec"] if template else None


PODS = [
    pytest.param(Pod(file, pod_of(manifest)), id=f"{number}-{named(manifest)}")
    for number, file in enumerate(FILES)
    for manifest in file
    if manifest["kind"] in ("Deployment", "CronJob")
]
SERVERS = [pod for pod in PODS if "args" not in pod.values[0].container]


@pytest.mark.parametrize("pod", PODS)
def test_variables_are_settings(pod):
    """The server starts with them, and no secret is stored outside the secret."""
    assert set(pod.environment) <= set(settings.names())
    settings.load(pod.environment | {"NIXERY_STATE_DIR": "/var/lib/nixery/state"})
    for manifest in pod.manifests:
        assert "S3_SECRET_KEY" not in manifest.get("data", {})


@pytest.mark.parametrize("pod", SERVERS)
def test_ports_lead_to_the_server(pod):
    assert pod.port["containerPort"] == settings.load(pod.environment).port
    (service,) = [manifest for manifest in pod.manifests if manifest["kind"] == "Service"]
    assert [p["targetPort"] for p in service["spec"]["ports"]] == [pod.port["name"]]
    for deployment in (m for m in pod.manifests if m["kind"] == "Deployment"):
        labels = deployment["spec"]["template"]["metadata"]["labels"]
        assert service["spec"]["selector"].items() <= labels.items()


@pytest.mark.parametrize("pod", SERVERS)
def test_probes_match_the_servers_endpoints_and_times(pod):
    routes = {route.path for route in Probes({}, Drain(), lambda: 0.0).routes()}
    for name in ("startupProbe", "readinessProbe", "livenessProbe"):
        probe = pod.container[name]
        assert probe["httpGet"]["path"] in routes
        assert probe["httpGet"]["port"] == pod.port["name"]
        assert probe["timeoutSeconds"] > CHECK_TIMEOUT
    # A failure that a restart does not fix must not cause one.
    assert pod.container["livenessProbe"]["httpGet"]["path"] == "/livez"
    assert pod.container["readinessProbe"]["httpGet"]["path"] == "/readyz"


@pytest.mark.parametrize("pod", SERVERS)
def test_the_pod_outlives_the_drain(pod):
    command, seconds = pod.container["lifecycle"]["preStop"]["exec"]["command"]
    assert command == "sleep"  # of coreutils, which the image has
    assert pod.spec["terminationGracePeriodSeconds"] >= int(seconds) + TRANSFER_SECONDS + AFTERWARDS


@pytest.mark.parametrize("pod", SERVERS)
def test_data_is_in_the_volume(pod):
    volumes = {volume["name"] for volume in pod.spec.get("volumes", [])}
    mounts = pod.container.get("volumeMounts", [])
    assert {mount["name"] for mount in mounts} == volumes
    places = [f"{mount['mountPath']}/" for mount in mounts]
    assert not any(place.startswith("/nix/") for place in places)
    if pod.environment["NIXERY_STORAGE_BACKEND"] == "filesystem":
        assert any(pod.environment["STORAGE_PATH"].startswith(place) for place in places)


def test_commands_exist():
    commands = [pod.values[0].container.get("args") for pod in PODS]
    (command,) = [words for words in commands if words]
    done = CliRunner().invoke(main, [*command, "--help"])
    assert done.exit_code == 0, done.output
    for option in (word for word in command if word.startswith("--")):
        assert option in done.output


def test_the_ingress_waits_longer_than_an_image_may_take():
    (ingress,) = [manifest for manifest in MANIFESTS if manifest["kind"] == "Ingress"]
    waits = ingress["metadata"]["annotations"]["nginx.ingress.kubernetes.io/proxy-read-timeout"]
    default = settings.Settings.model_fields["request_timeout"].default
    assert int(waits) > default

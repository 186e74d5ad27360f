# The Python package. Its versions of nixpkgs must lie in the ranges of pyproject.toml: the build
# compares them.
{
  lib,
  python3Packages,
  deflate,
}:
let
  inherit (builtins.fromTOML (builtins.readFile ../pyproject.toml)) project;
in
python3Packages.buildPythonApplication (finalAttrs: {
  pname = project.name;
  inherit (project) version;
  pyproject = true;

  src = import ./source.nix { inherit lib; };

  build-system = [ python3Packages.flit-core ];

  dependencies = [
    deflate
  ]
  ++ (with python3Packages; [
    anyio
    boto3
    click
    google-cloud-storage
    httptools
    jinja2
    pydantic
    rustworkx
    starlette
    structlog
    tenacity
    urllib3
    uvicorn
    zstandard
  ]);

  nativeCheckInputs = with python3Packages; [
    httpx
    hypothesis
    pytestCheckHook
  ];

  disabledTestMarks = [
    "full"
    "machine"
    "nix"
  ];

  pytestFlags = [
    # What a dependency warns of is a matter for its next release, not for this build.
    "--override-ini=filterwarnings=default"
  ];

  pythonImportsCheck = [ "nixery.service" ];

  meta = {
    inherit (project) description;
    changelog = "${finalAttrs.src}/CHANGELOG.md";
    license = lib.licenses.asl20;
    mainProgram = "nixery";
    platforms = lib.platforms.linux;
  };
})

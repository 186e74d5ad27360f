# The Python package. The versions in nixpkgs must match the ranges of pyproject.toml; the build checks it.
{
  lib,
  python3Packages,
  deflate,
}:
let
  inherit (builtins.fromTOML (builtins.readFile ../pyproject.toml)) project;
  version = lib.head (
    builtins.match ".*__version__ = \"([^\"]+)\".*" (builtins.readFile ../nixery/__init__.py)
  );
  s3 = with python3Packages; [
    boto3
    tenacity
  ];
in
python3Packages.buildPythonApplication (finalAttrs: {
  pname = project.name;
  inherit version;
  pyproject = true;

  src = import ./source.nix { inherit lib; };

  build-system = [ python3Packages.flit-core ];

  # With the extra, because a server of the module may use any storage.
  dependencies = [
    deflate
  ]
  ++ s3
  ++ (with python3Packages; [
    anyio
    click
    google-cloud-storage
    httptools
    jinja2
    networkx
    pydantic
    starlette
    structlog
    urllib3
    uvicorn
    zstandard
  ]);

  optional-dependencies = { inherit s3; };

  nativeCheckInputs = with python3Packages; [
    httpx
    hypothesis
    pytestCheckHook
  ];

  enabledTestPaths = import ./package-tests.nix;

  disabledTestMarks = [
    "full"
    "machine"
    "nix"
  ];

  pytestFlags = [
    # Warnings of dependencies must not fail this build.
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

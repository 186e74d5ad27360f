# The Python package. Its versions of nixpkgs must lie in the ranges of pyproject.toml: the build
# compares them.
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

  # With the extra: a server of the module may keep its images in any kind of storage.
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

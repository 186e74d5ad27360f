# PyPI's binding of libdeflate, which nixpkgs does not have. Built with the libdeflate of its source,
# because another version compresses to other bytes, so layers would have other digests than elsewhere.
{
  lib,
  buildPythonPackage,
  fetchPypi,
  cmake,
  ninja,
  scikit-build-core,
}:
buildPythonPackage (finalAttrs: {
  pname = "deflate";
  version = "0.9.0";
  pyproject = true;

  src = fetchPypi {
    inherit (finalAttrs) pname version;
    hash = "sha256-li4Kbx6jqUuQCo6gzhOPqSv8uv2luGNnEEoln/zTRis=";
  };

  build-system = [ scikit-build-core ];

  nativeBuildInputs = [
    cmake
    ninja
  ];

  # scikit-build-core calls it.
  dontUseCmakeConfigure = true;

  pythonImportsCheck = [ "deflate" ];

  meta = {
    description = "Python binding of libdeflate";
    homepage = "https://github.com/dcwatson/deflate";
    license = lib.licenses.mit;
  };
})

# Python packages out of wheels: the locked ones as they are, ours built by its own build system.
{
  doCheck,
  lib,
  set,
  stdenv,
}:
let
  wheels = builtins.path {
    name = "wheels";
    path = ./wheels;
  };

  # { google-cloud-storage = { pname = …; }; … }: a misspelt name is missing.
  named = lib.listToAttrs (
    map (
      file:
      let
        pname = lib.replaceStrings [ "_" "." ] [ "-" "-" ] (lib.head (builtins.match "([^-]+)-.*" file));
      in
      lib.nameValuePair pname { inherit pname; }
    ) (lib.attrNames (builtins.readDir ./wheels))
  );

  names = map (package: package.pname);

  # nixpkgs takes attributes, or a function of what they come to.
  fix =
    f: attributes:
    if builtins.isFunction attributes then
      let
        final = f (attributes final) // attributes final;
      in
      final
    else
      f attributes;

  # What a package that is a wheel of the lock already would be built from.
  buildPythonPackage = fix (
    {
      pname,
      version,
      pyproject,
      src,
      build-system,
      nativeBuildInputs,
      dontUseCmakeConfigure,
      pythonImportsCheck,
      meta,
    }:
    assert pyproject;
    named.${pname}
  );

  buildPythonApplication = fix (
    {
      pname,
      version,
      pyproject,
      src,
      build-system,
      dependencies,
      optional-dependencies,
      nativeCheckInputs,
      enabledTestPaths,
      disabledTestMarks,
      pytestFlags,
      pythonImportsCheck,
      meta,
    }:
    assert pyproject;
    assert lib.elem pytestCheckHook nativeCheckInputs;
    stdenv.runCommand "${pname}-${version}"
      {
        inherit meta pythonImportsCheck version;
        passthru = { inherit pname; };
        request = builtins.toJSON {
          inherit
            enabledTestPaths
            pname
            pytestFlags
            pythonImportsCheck
            version
            ;
          src = "${src}";
          wheels = "${wheels}";
          python = "${set.python3}/bin/python3";
          buildSystem = names build-system;
          dependencies = names dependencies;
          extras = lib.attrNames optional-dependencies;
          checkInputs = names nativeCheckInputs;
          markers = disabledTestMarks;
          inherit doCheck;
          # Wheels rest on what every Linux has; here only the set has it.
          libraries = [
            "${set.glibc}/lib"
            "${set.libstdcxx}/lib"
          ];
        };
      }
      ''
        export HOME=$TMPDIR
        PYTHONPATH=$(echo ${wheels}/packaging-*.whl) ${set.python3}/bin/python3 -B \
          ${./build/python_package.py} "$request" "$out"
      ''
  );

  pytestCheckHook = {
    pname = "pytest";
  };
in
named
// {
  inherit buildPythonApplication buildPythonPackage pytestCheckHook;

  # Build systems that are not needed where wheels are at hand.
  scikit-build-core = { };

  callPackage = lib.callPackageWith (
    {
      inherit lib buildPythonPackage;
      cmake = { };
      ninja = { };
      scikit-build-core = { };
      fetchPypi =
        {
          pname,
          version,
          hash,
        }:
        assert builtins.match "sha256-[A-Za-z0-9+/]{43}=" hash != null;
        {
          inherit pname version hash;
        };
    }
    // named
  );
}

# Looks up names in a package set: returns the outputs of each, or why it is refused. Builds nothing. The
# argument is a JSON text:
#
#   { set, system, config, overlays, names = [ "git" "xorg.xev" ], explain ? "the name whose error to show" }
#
# and the result { packages = [ … ], levels = { "<dotted path>" = [ "names" "there" ]; } }, where a
# package has a status:
#
#   ok             drvPath, outputs = [ { name, path } ], mainProgram: null or a name, and config:
#                  null or passthru.nixery; role: "interpreter", "module" or ""; combined: whether an
#                  interpreter stands for an environment with modules
#   not_found      level: the part of the path that exists; levels has its names. joined: attributes of
#                  the same name without dots
#   unchecked      because another name was not found: a typo beside a large package is found at once
#   not_a_package  type: of the value
#   unfree, broken, unsupported, insecure, failed    refused, or an error that `explain` shows
{ request }:
let
  inherit (builtins)
    any
    filter
    foldl'
    fromJSON
    head
    isAttrs
    isFunction
    listToAttrs
    map
    match
    removeAttrs
    seq
    stringLength
    tryEval
    typeOf
    unsafeDiscardStringContext
    ;

  asked = fromJSON request;
  set = import ./set.nix { inherit asked; };
  find = import ./names.nix set.packages;

  # tryEval catches throw and assert. The fallback means an error or a missing value.
  attempt =
    fallback: value:
    let
      tried = tryEval value;
    in
    if tried.success then tried.value else fallback;

  outputsOf =
    package:
    let
      main = package.outputName or (head (package.outputs or [ "out" ]));
      wanted =
        if package.outputSpecified or false then
          [ main ] # openssl.dev selects only dev
        else
          attempt [ main ] (package.meta.outputsToInstall or [ main ]);
      kept = filter (name: name != "man") wanted;
    in
    map (name: {
      inherit name;
      path = unsafeDiscardStringContext "${(package.${name} or package).outPath}";
    }) (if kept == [ ] then [ main ] else kept);

  mainProgramOf =
    package:
    let
      name = attempt null (package.meta.mainProgram or null);
    in
    if builtins.isString name then unsafeDiscardStringContext name else null;

  # Flags of meta matter only if the configuration does not allow them. nixpkgs checks in this order.
  refusal =
    package:
    let
      meta = attempt { } (if isAttrs (package.meta or null) then package.meta else { });
      refused =
        flag: allow: !(asked.config.${allow} or false) && attempt false ((meta.${flag} or false) == true);
    in
    if refused "unfree" "allowUnfree" then
      "unfree"
    else if refused "broken" "allowBroken" then
      "broken"
    else if refused "unsupported" "allowUnsupportedSystem" then
      "unsupported"
    else if refused "insecure" "allowInsecure" then
      "insecure"
    else
      "failed";

  looked = map (name: {
    inherit name;
    result = tryEval (
      let
        r = find name;
      in
      seq r.found r
    );
  }) asked.names;

  # python3/python3packages.requests: an interpreter that imports the module. Where an interpreter and
  # modules of its set are requested together, its environment with them replaces it.
  isInterpreter =
    package: attempt false (isAttrs package && isFunction (package.withPackages or null));
  # Of a Python application it is false.
  interpreterOf =
    package:
    let
      module = attempt null (package.pythonModule or package.perlModule or package.luaModule or null);
    in
    if isAttrs module then module else null;
  isModuleOf =
    interpreter: package:
    interpreterOf package != null
    && attempt false ((interpreterOf package).outPath == interpreter.outPath);
  found = map ({ result, ... }: result.value.value) (
    filter ({ result, ... }: result.success && result.value.found) looked
  );
  modulesOf = interpreter: filter (isModuleOf interpreter) found;
  roleOf =
    package:
    if isInterpreter package then
      "interpreter"
    else if interpreterOf package != null then
      "module"
    else
      "";

  isMissing = { result, ... }: result.success && !result.value.found;
  anyIsMissing = any isMissing looked;

  describe =
    { name, result }:
    let
      requested = result.value.value;
      modules = if isInterpreter requested then modulesOf requested else [ ];
      combined = modules != [ ];
      package = if combined then requested.withPackages (_: modules) else requested;
      isPackage = tryEval (isAttrs package && (package.type or null) == "derivation");
      # A set without the argument system supports only its own system.
      otherSystem = !set.takesSystem && attempt false ((package.system or asked.system) != asked.system);
      drvPath = unsafeDiscardStringContext package.drvPath;
      outputs = outputsOf package;
      is = status: { inherit name status; };
    in
    if result.success && !result.value.found then
      is "not_found"
      // {
        inherit (result.value) level names;
        joined = filter isTypeable (result.value.joined or [ ]);
      }
    else if anyIsMissing then
      is "unchecked"
    else if !result.success then
      is "failed"
    else if !isPackage.success then
      is "failed"
    else if !isPackage.value then
      is "not_a_package" // { type = typeOf package; }
    else if otherSystem then
      is "unsupported"
    else if attempt false (foldl' (all: output: seq output.path all) (seq drvPath true) outputs) then
      is "ok"
      // {
        inherit drvPath outputs combined;
        role = roleOf requested;
        mainProgram = mainProgramOf package;
        # As JSON, because values may depend on derivations.
        config = fromJSON (unsafeDiscardStringContext (builtins.toJSON (package.nixery or null)));
      }
    else
      is (refusal package);

  described = map describe looked;

  # Names that are possible in an image name can be suggested. A name that is not UTF-8 would break the
  # JSON of the whole result, and matching a long one would overflow the stack.
  isTypeable = name: stringLength name <= 128 && match "[A-Za-z0-9_-]+" name != null;

  # Without tryEval, so that Nix prints the error.
  explained =
    let
      package = (find asked.explain).value;
    in
    seq package.drvPath (map (o: o.path) (outputsOf package));
in
if asked ? explain then
  explained
else
  {
    # Forced even without names, to check that the set itself evaluates.
    packages = seq set.packages (map (package: removeAttrs package [ "names" ]) described);
    levels = listToAttrs (
      map (package: {
        name = package.level;
        value = filter isTypeable package.names;
      }) (filter (package: package ? names) described)
    );
  }

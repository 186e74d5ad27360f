# evalModules { modules, specialArgs ? { } } -> { config, options }
#
# A module is a path, a function of { config, lib, options, … }, or an attribute set; a set is all
# definitions, unless it has `options` or `config`.
{
  lib,
  properties,
  types,
}:
let
  inherit (builtins)
    attrNames
    catAttrs
    concatMap
    concatStringsSep
    elem
    filter
    foldl'
    head
    isFunction
    isPath
    isString
    mapAttrs
    ;

  show = concatStringsSep ".";
  about = [
    "_class"
    "_file"
    "imports"
    "key"
  ];

  # The same shape for every module: { imports, options, config }.
  shaped =
    module:
    if module ? options || module ? config then
      {
        imports = module.imports or [ ];
        options = module.options or { };
        config = module.config or { };
      }
    else
      {
        imports = module.imports or [ ];
        options = { };
        config = removeAttrs module about;
      };

  isFile = module: isPath module || isString module;

  loaded =
    arguments: module:
    let
      content = if isFile module then import module else module;
    in
    shaped (if isFunction content then content arguments else content)
    // {
      file = if isFile module then toString module else null;
    };

  # With all that is imported, the imported first.
  unfolded =
    arguments:
    concatMap (
      module:
      let
        own = loaded arguments module;
      in
      unfolded arguments own.imports ++ [ own ]
    );

  # A file that several modules import counts once.
  once = foldl' (
    before: module:
    if module.file != null && elem module.file (catAttrs "file" before) then
      before
    else
      before ++ [ module ]
  ) [ ];

  declared =
    location:
    foldl' (
      tree: more:
      tree
      // mapAttrs (
        name: declaration:
        let
          here = location ++ [ name ];
        in
        if !(tree ? ${name}) then
          declaration
        else if lib.isOption declaration || lib.isOption tree.${name} then
          throw "The option `${show here}' is declared more than once."
        else
          declared here [
            tree.${name}
            declaration
          ]
      ) more
    ) { };

  valueOf =
    location: option: definitions:
    let
      values = properties.strongest definitions;
    in
    if values != [ ] then
      types.checked location option.type values
    else if option ? default then
      types.checked location option.type (properties.strongest [ option.default ])
    else
      throw "The option `${show location}' was accessed but has no value defined.";

  settled =
    location: tree: definitions:
    let
      sets = concatMap properties.spread definitions;
      unknown = filter (name: !(tree ? ${name})) (concatMap attrNames sets);
    in
    if unknown != [ ] then
      throw "The option `${show (location ++ [ (head unknown) ])}' does not exist."
    else
      mapAttrs (
        name: declaration:
        let
          here = location ++ [ name ];
          given = catAttrs name sets;
        in
        if lib.isOption declaration then valueOf here declaration given else settled here declaration given
      ) tree;

  located =
    location:
    mapAttrs (
      name: declaration:
      let
        here = location ++ [ name ];
      in
      if lib.isOption declaration then declaration // { loc = here; } else located here declaration
    );
in
{
  modules,
  specialArgs ? { },
  prefix ? [ ],
}:
let
  all = once (unfolded (specialArgs // { inherit config lib options; }) modules);
  tree = declared prefix (catAttrs "options" all);
  options = located prefix tree;
  config = settled prefix tree (catAttrs "config" all);
in
{
  inherit config options;
}

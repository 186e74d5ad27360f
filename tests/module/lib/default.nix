# A module evaluator with the interface of nixpkgs' `lib`, for machines without nixpkgs.
#
# It has what module.nix and nixos-tests/ use and nothing else, so that a new use fails loudly:
#
#   properties.nix   mkIf, mkMerge, mkForce …: when and how strongly a value is meant
#   types.nix        what an option takes, how its definitions merge, how it is described
#   modules.nix      evalModules: declarations and definitions of many modules -> config
#
# Results and texts are those of nixpkgs' lib for all that module.nix does; where NIXPKGS_LIB names
# one, tests/module compares them.
let
  inherit (builtins)
    concatMap
    concatStringsSep
    elem
    head
    isAttrs
    length
    listToAttrs
    match
    replaceStrings
    substring
    stringLength
    ;

  properties = import ./properties.nix;
  types = import ./types.nix { inherit evalModules properties; };
  evalModules = import ./modules.nix { inherit lib properties types; };

  literalExpression = text: {
    _type = "literalExpression";
    inherit text;
  };

  mkOption = attributes: attributes // { _type = "option"; };

  lib = {
    inherit
      evalModules
      literalExpression
      mkOption
      types
      ;
    inherit (builtins)
      any
      all
      attrNames
      attrValues
      concatLists
      concatMap
      concatStringsSep
      elem
      filter
      head
      isAttrs
      isBool
      isList
      isString
      length
      listToAttrs
      mapAttrs
      replaceStrings
      ;
    inherit (properties)
      mkDefault
      mkForce
      mkIf
      mkMerge
      mkOverride
      ;

    mkEnableOption =
      what:
      mkOption {
        type = types.bool;
        default = false;
        example = true;
        description = "Whether to enable ${what}.";
      };
    isOption = value: isAttrs value && value._type or null == "option";

    optional = condition: item: if condition then [ item ] else [ ];
    optionals = condition: items: if condition then items else [ ];
    optionalAttrs = condition: attributes: if condition then attributes else { };
    optionalString = condition: text: if condition then text else "";
    mapNullable = f: value: if value == null then null else f value;

    last = list: builtins.elemAt list (length list - 1);
    nameValuePair = name: value: { inherit name value; };
    genAttrs = names: f: listToAttrs (map (name: lib.nameValuePair name (f name)) names);
    mapAttrsToList = f: set: map (name: f name set.${name}) (builtins.attrNames set);
    mapAttrs' = f: set: listToAttrs (lib.mapAttrsToList f set);
    filterAttrs =
      keep: set:
      removeAttrs set (builtins.filter (name: !keep name set.${name}) (builtins.attrNames set));

    hasPrefix = prefix: text: substring 0 (stringLength prefix) text == prefix;
    removePrefix =
      prefix: text: if lib.hasPrefix prefix text then substring (stringLength prefix) (-1) text else text;
    hasSuffix =
      suffix: text:
      let
        start = stringLength text - stringLength suffix;
      in
      start >= 0 && substring start (-1) text == suffix;
    hasInfix = infix: text: replaceStrings [ infix ] [ "" ] text != text;
    concatMapStringsSep =
      separator: f: list:
      concatStringsSep separator (map f list);
    concatMapStrings = lib.concatMapStringsSep "";
    escapeShellArg = text: "'${replaceStrings [ "'" ] [ "'\\''" ] (toString text)}'";

    getExe' = package: program: "${package}/bin/${program}";
    makeBinPath = lib.concatMapStringsSep ":" (package: "${package}/bin");

    collect =
      wanted: set:
      if wanted set then
        [ set ]
      else if isAttrs set then
        concatMap (lib.collect wanted) (builtins.attrValues set)
      else
        [ ];
  };
in
lib

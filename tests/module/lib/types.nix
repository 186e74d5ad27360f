# Types: { description, descriptionClass, check = value: bool, merge = location: values: value }.
{ evalModules, properties }:
let
  inherit (builtins)
    all
    any
    attrNames
    catAttrs
    concatLists
    concatMap
    concatStringsSep
    elem
    filter
    foldl'
    head
    isAttrs
    isBool
    isInt
    isList
    isPath
    isString
    length
    listToAttrs
    match
    substring
    tail
    toJSON
    ;

  show = concatStringsSep ".";

  # Several definitions must agree.
  merge =
    location: values:
    if all (value: value == head values) (tail values) then
      head values
    else
      throw "The option `${show location}' has conflicting definition values.";

  simple = description: check: {
    inherit description check merge;
    descriptionClass = "noun";
  };

  checked =
    location: type: values:
    if all type.check values then
      type.merge location values
    else
      throw "A definition for option `${show location}' is not of type `${type.description}'.";

  # The description as a part of another: in parentheses unless it is of one of these classes.
  within =
    classes: type:
    if elem type.descriptionClass classes then type.description else "(${type.description})";

  restricted = description: check: simple description check // { descriptionClass = null; };

  bounds = lowest: highest: "${toString lowest} and ${toString highest} (both inclusive)";

  ints = simple "signed integer" isInt // {
    # As nixpkgs has it: a remark that is set off from what follows.
    positive = simple "positive integer, meaning >0" (value: isInt value && value > 0) // {
      descriptionClass = "nonRestrictiveClause";
    };
    unsigned = simple "unsigned integer, meaning >=0" (value: isInt value && value >= 0) // {
      descriptionClass = "nonRestrictiveClause";
    };
    between =
      lowest: highest:
      simple "integer between ${bounds lowest highest}" (
        value: isInt value && value >= lowest && value <= highest
      );
  };

  types = {
    inherit ints;
    int = ints;
    bool = simple "boolean" isBool;
    str = simple "string" isString;
    lines = simple "strings concatenated with \"\\n\"" isString // {
      merge = _: concatStringsSep "\n";
    };
    port =
      simple "16 bit unsigned integer; between ${bounds 0 65535}" (
        value: isInt value && value >= 0 && value <= 65535
      )
      // {
        descriptionClass = "noun";
      };
    path = simple "absolute path" (
      value:
      (isPath value || isString value || isAttrs value && value ? outPath)
      && substring 0 1 (toString value) == "/"
    );
    package = simple "package" (value: isAttrs value && value ? outPath);
    strMatching =
      pattern:
      simple "string matching the pattern ${pattern}" (
        value: isString value && match pattern value != null
      );

    enum =
      values:
      simple "one of ${concatStringsSep ", " (map toJSON values)}" (value: elem value values)
      // {
        descriptionClass = "conjunction";
      };

    anything = simple "anything" (_: true) // {
      merge =
        location: values:
        if length values > 1 && all isAttrs values then
          (types.attrsOf types.anything).merge location values
        else
          merge location values;
    };

    nullOr = type: {
      description = "null or ${within [ "noun" "conjunction" ] type}";
      descriptionClass = "conjunction";
      check = value: value == null || type.check value;
      merge =
        location: values:
        if all (value: value == null) values then
          null
        else if any (value: value == null) values then
          throw "The option `${show location}' is defined both null and not null."
        else
          type.merge location values;
    };

    either = one: other: {
      description =
        within [ "noun" "nonRestrictiveClause" ] one
        + (if one.descriptionClass or null == "nonRestrictiveClause" then ", or " else " or ")
        + within [ "noun" "conjunction" ] other;
      descriptionClass = "conjunction";
      check = value: one.check value || other.check value;
      merge =
        location: values:
        if all one.check values then one.merge location values else other.merge location values;
    };

    listOf = type: {
      description = "list of ${within [ "noun" "composite" ] type}";
      descriptionClass = "composite";
      check = isList;
      merge = location: values: map (value: checked location type [ value ]) (concatLists values);
    };
    nonEmptyListOf =
      type:
      let
        list = types.listOf type;
      in
      list
      // {
        description = "non-empty ${within [ "noun" ] list}";
        check = value: isList value && value != [ ];
      };

    attrsOf = type: {
      description = "attribute set of ${within [ "noun" "composite" ] type}";
      descriptionClass = "composite";
      check = isAttrs;
      merge =
        location: values:
        let
          sets = concatMap properties.spread values;
          names = attrNames (foldl' (all: set: all // set) { } sets);
          given = name: properties.strongest (catAttrs name sets);
        in
        listToAttrs (
          map (name: {
            inherit name;
            value = checked (location ++ [ name ]) type (given name);
          }) (filter (name: given name != [ ]) names)
        );
    };

    submodule = module: {
      description = "submodule";
      descriptionClass = "noun";
      check = value: isAttrs value || builtins.isFunction value;
      merge =
        location: values:
        (evalModules {
          modules = [ module ] ++ values;
          prefix = location;
        }).config;
    };
  };
in
types // { inherit checked; }

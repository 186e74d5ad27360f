# Properties say when and how strongly a value is meant: mkIf, mkMerge, mkOverride.
let
  inherit (builtins)
    concatMap
    filter
    foldl'
    isAttrs
    mapAttrs
    ;

  kind = value: if isAttrs value then value._type or null else null;

  ordinary = 100;

  mkOverride = priority: content: {
    _type = "override";
    inherit priority content;
  };

  # value -> [ { priority, value } ]; the lower number wins.
  meanings =
    value:
    {
      merge = concatMap meanings value.contents;
      "if" = if value.condition then meanings value.content else [ ];
      override = map (meaning: meaning // { inherit (value) priority; }) (meanings value.content);
    }
    .${toString (kind value)} or [
      {
        priority = ordinary;
        inherit value;
      }
    ];

  smaller = one: other: if other < one then other else one;
  lowest = meanings: foldl' smaller 9999 (map (meaning: meaning.priority) meanings);
  spread =
    value:
    let
      onEach = mapAttrs (_: content: value // { inherit content; });
    in
    {
      merge = concatMap spread value.contents;
      "if" = map onEach (spread value.content);
      override = map onEach (spread value.content);
    }
    .${toString (kind value)} or [ value ];
in
{
  mkIf = condition: content: {
    _type = "if";
    inherit condition content;
  };
  mkMerge = contents: {
    _type = "merge";
    inherit contents;
  };
  inherit mkOverride;
  mkForce = mkOverride 50;
  mkDefault = mkOverride 1000;

  # Values with properties -> the plain values that hold.
  strongest =
    values:
    let
      all = concatMap meanings values;
    in
    map (meaning: meaning.value) (filter (meaning: meaning.priority == lowest all) all);

  # A property of a whole attribute set -> plain sets, with the property on each attribute: their
  # names can be known before a condition is, which may depend on them.
  inherit spread;
}

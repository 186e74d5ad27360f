# A package set -> a function that looks up a name:
#
#   find "xorg.xev"   { found = true; value; }
#                     or { found = false; level = "xorg"; names = [ … ]; joined = [ … ]; }
#
# Dots select nested attributes. If the exact path does not exist, a component may differ in case, or lack
# the underscore of attributes that start with a digit (_1password). Of several attributes that differ by
# case alone, the first in byte order that is a derivation is selected.
#
# joined: top-level attributes that have the same components without dots (python311 for "python3.11").
set:
let
  inherit (builtins)
    attrNames
    concatLists
    concatStringsSep
    filter
    genList
    groupBy
    hasAttr
    head
    isAttrs
    isString
    map
    match
    replaceStrings
    split
    stringLength
    substring
    tail
    tryEval
    ;

  optional = condition: value: if condition then [ value ] else [ ];

  letters = text: genList (n: substring n 1 text) (stringLength text);
  toLower = replaceStrings (letters "ABCDEFGHIJKLMNOPQRSTUVWXYZ") (
    letters "abcdefghijklmnopqrstuvwxyz"
  );

  # The few names that contain upper case, by their lower case; computed only if needed.
  fold = level: groupBy toLower (filter (name: toLower name != name) (attrNames level));
  foldedSet = fold set;

  # The attributes of a level that a component may mean, the best first.
  meanings =
    level: folded: component:
    let
      spelled = [ component ] ++ optional (match "[0-9].*" component != null) "_${component}";
      repaired =
        # In byte order: upper case precedes lower case.
        name: (folded.${name} or [ ]) ++ optional (hasAttr name level) name;
      others = filter (name: name != component) (concatLists (map repaired (map toLower spelled)));
    in
    optional (hasAttr component level) component ++ others;

  missing = above: level: {
    found = false;
    level = concatStringsSep "." above;
    names = if isAttrs level then attrNames level else [ ];
  };

  # An attribute that throws, such as a removed package, is not one.
  isDerivation =
    value:
    let
      tried = tryEval (isAttrs value && (value.type or null) == "derivation");
    in
    tried.success && tried.value;

  # The path as it is spelled.
  exactly =
    above: level: path:
    let
      component = head path;
      next = level.${component};
    in
    if !(isAttrs level && hasAttr component level) then
      missing above level
    else if tail path == [ ] then
      {
        found = true;
        value = next;
      }
    else
      exactly (above ++ [ component ]) next (tail path);

  # The path with corrected components. If a component has several meanings, the first one that contains
  # the next component is used, or that is a derivation if it is the last. There is no backtracking: sets may refer to the sets above them by several
  # names, so the number of paths would double with each component.
  repaired =
    above: level: folded: path:
    let
      last = tail path == [ ];
      follow = name: rec {
        inherit name;
        value = level.${name};
        names = fold value;
        leadsOn =
          if last then
            isDerivation value
          else
            isAttrs value && meanings value names (head (tail path)) != [ ];
      };
      ways = map follow (meanings level folded (head path));
      good = filter (way: way.leadsOn) ways;
      way = if tail ways == [ ] || good == [ ] then head ways else head good;
    in
    if !(isAttrs level) || ways == [ ] then
      missing above level
    else if last then
      {
        found = true;
        inherit (way) value;
      }
    else
      repaired (above ++ [ way.name ]) way.value way.names (tail path);

  find =
    path:
    let
      exact = exactly [ ] set path;
    in
    # Before names in lower case are computed, which takes 0.2 s for all of nixpkgs.
    if exact.found then exact else withJoined path (repaired [ ] set foldedSet path);

  withJoined =
    path: result:
    if result.found || tail path == [ ] then
      result
    else
      result
      // {
        joined = filter (name: hasAttr name set) (
          map (separator: concatStringsSep separator path) [
            ""
            "_"
            "-"
          ]
        );
      };
in
name: find (filter isString (split "\\." name))

# A package set -> a function that looks up a name:
#
#   find "xorg.xev"   { found = true; value; }, or { found = false; level = "xorg"; names = [ … ]; }
#
# Dots select nested attributes. If the exact path does not exist, a component may differ in case, or lack
# the underscore of attributes that start with a digit (_1password).
set:
let
  inherit (builtins)
    attrNames
    concatLists
    concatStringsSep
    filter
    genList
    hasAttr
    head
    isAttrs
    isString
    listToAttrs
    map
    match
    replaceStrings
    split
    stringLength
    substring
    tail
    ;

  optional = condition: value: if condition then [ value ] else [ ];

  letters = text: genList (n: substring n 1 text) (stringLength text);
  toLower = replaceStrings (letters "ABCDEFGHIJKLMNOPQRSTUVWXYZ") (
    letters "abcdefghijklmnopqrstuvwxyz"
  );

  # Only the few names that contain upper case; computed only if needed.
  fold =
    level:
    listToAttrs (
      map (name: {
        name = toLower name;
        value = name;
      }) (filter (name: toLower name != name) (attrNames level))
    );
  foldedSet = fold set;

  # The attributes of a level that a component may mean, the best first.
  meanings =
    level: folded: component:
    let
      spelled = [ component ] ++ optional (match "[0-9].*" component != null) "_${component}";
      repaired =
        name: optional (hasAttr name level) name ++ optional (hasAttr name folded) folded.${name};
      others = filter (name: name != component) (concatLists (map repaired (map toLower spelled)));
    in
    optional (hasAttr component level) component ++ others;

  missing = above: level: {
    found = false;
    level = concatStringsSep "." above;
    names = if isAttrs level then attrNames level else [ ];
  };

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
  # the next component is used. There is no backtracking: sets may refer to the sets above them by several
  # names, so the number of paths would double with each component.
  repaired =
    above: level: folded: path:
    let
      last = tail path == [ ];
      follow = name: rec {
        inherit name;
        value = level.${name};
        names = fold value;
        leadsOn = last || isAttrs value && meanings value names (head (tail path)) != [ ];
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
    if exact.found then exact else repaired [ ] set foldedSet path;
in
name: find (filter isString (split "\\." name))

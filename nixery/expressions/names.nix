# A package set -> a function that finds what a name stands for:
#
#   find "xorg.xev"   { found = true; value; }, or { found = false; level = "xorg"; names = [ … ]; }
#
# Dots descend. Where the exact path leads nowhere, a component may have another case, or lack the
# underscore that attributes have before a digit (_1password).
set:
let
  inherit (builtins)
    attrNames
    concatLists
    concatStringsSep
    filter
    foldl'
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

  # Only the names that differ from their own lower case: few, and made only where one is needed.
  fold =
    level:
    listToAttrs (
      map (name: {
        name = toLower name;
        value = name;
      }) (filter (name: toLower name != name) (attrNames level))
    );
  foldedSet = fold set;

  # The other attributes of a level that a component may mean, best first.
  meanings =
    level: folded: component:
    let
      spelled = [ component ] ++ optional (match "[0-9].*" component != null) "_${component}";
      repaired =
        name: optional (hasAttr name level) name ++ optional (hasAttr name folded) folded.${name};
    in
    filter (name: name != component) (concatLists (map repaired (map toLower spelled)));

  # The first meaning that leads to the end of the path; the exact path wins over every other.
  descend =
    above: level: folded: path:
    let
      component = head path;
      missing = {
        found = false;
        level = concatStringsSep "." above;
        names = if isAttrs level then attrNames level else [ ];
      };
      follow =
        name:
        let
          next = level.${name};
        in
        if tail path == [ ] then
          {
            found = true;
            value = next;
          }
        else
          descend (above ++ [ name ]) next (fold next) (tail path);
      better =
        best: name:
        let
          other = follow name;
        in
        if best.found then
          best
        else if other.found || best.level == missing.level then
          other
        else
          best;
      exact = if hasAttr component level then follow component else missing;
    in
    if !(isAttrs level) then
      missing
    # Before the folded names are made, which takes 0.2 s for all of nixpkgs.
    else if exact.found then
      exact
    else
      foldl' better exact (meanings level folded component);
in
name: descend [ ] set foldedSet (filter isString (split "\\." name))

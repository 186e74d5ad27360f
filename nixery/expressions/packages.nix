# Looks up names in a package set: says for each which outputs it stands for, or why it cannot be
# had. Nothing is built. The argument is one JSON text:
#
#   { set, system, config, names = [ "git" "xorg.xev" ], explain ? "the name whose error is wanted" }
#
# and the answer { packages = [ … ], levels = { "<dotted path>" = [ "names" "there" ]; } }, where a
# package has a status:
#
#   ok             drvPath, outputs = [ { name, path } ]
#   not_found      level: how far the path leads; levels holds the names that are there
#   not_a_package  type: what is there instead
#   unfree, broken, unsupported, insecure, failed    refused, or an error that `explain` shows
{ request }:
let
  inherit (builtins)
    attrNames concatLists concatStringsSep filter foldl' fromJSON functionArgs hasAttr
    head isAttrs isFunction isString listToAttrs map match removeAttrs replaceStrings seq
    split tail toXML tryEval typeOf unsafeDiscardStringContext;

  asked = fromJSON request;

  # Only what the set's function takes: many sets are no nixpkgs. An ellipsis takes everything,
  # and so does a plain argument; functionArgs shows neither, the function's XML does.
  imported = import (/. + asked.set);
  named = functionArgs imported;
  takesAll =
    let pattern = toXML imported;
    in match ".*(ellipsis=\"1\"|<varpat ).*" (replaceStrings [ "\n" ] [ " " ] pattern) != null;
  arguments = {
    inherit (asked) system;
    overlays = [ ]; # nixpkgs would look for the ones of the server's user
    config = removeAttrs asked.config [ "allowInsecure" ]
      // (if asked.config.allowInsecure or false
    then { allowInsecurePredicate = _: true; } # nixpkgs has no plain flag for it, and JSON no functions
    else { });
  };
  taken = name: isFunction imported && (takesAll || hasAttr name named);
  set =
    if isFunction imported
    then
      imported
        (listToAttrs (concatLists (map
          (name: if taken name then [{ inherit name; value = arguments.${name}; }] else [ ])
          (attrNames arguments))))
    else imported;

  upper = [ "A" "B" "C" "D" "E" "F" "G" "H" "I" "J" "K" "L" "M" "N" "O" "P" "Q" "R" "S" "T" "U" "V" "W" "X" "Y" "Z" ];
  lower = [ "a" "b" "c" "d" "e" "f" "g" "h" "i" "j" "k" "l" "m" "n" "o" "p" "q" "r" "s" "t" "u" "v" "w" "x" "y" "z" ];
  toLower = replaceStrings upper lower;
  # Only the names that differ from their own lower case: few, and made only where one is needed.
  fold = level: listToAttrs (concatLists (map
    (name: if toLower name != name then [{ name = toLower name; value = name; }] else [ ])
    (attrNames level)));
  foldedSet = fold set;

  # The other attributes of a level that a component may mean, best first: with another case,
  # and with the underscore that attributes have before a digit (_1password).
  meanings = level: folded: component:
    let
      spelled = [ component ] ++ (if match "[0-9].*" component != null then [ "_${component}" ] else [ ]);
      repaired = name: (if hasAttr name level then [ name ] else [ ])
        ++ (if hasAttr name folded then [ folded.${name} ] else [ ]);
    in filter (name: name != component) (concatLists (map repaired (map toLower spelled)));

  # The first meaning that leads to the end of the path; the exact path wins over every other.
  descend = above: level: folded: path:
    let
      component = head path;
      missing = {
        found = false;
        level = concatStringsSep "." above;
        names = if isAttrs level then attrNames level else [ ];
      };
      follow = name:
        let next = level.${name};
        in if tail path == [ ]
        then { found = true; value = next; }
        else descend (above ++ [ name ]) next (fold next) (tail path);
      better = best: name:
        let other = follow name;
        in if best.found then best else if other.found || best.level == missing.level then other else best;
      exact = if hasAttr component level then follow component else missing;
    in
    if !(isAttrs level) then missing
    # Before the folded names are made, which takes 0.2 s for all of nixpkgs.
    else if exact.found then exact
    else foldl' better exact (meanings level folded component);

  find = name: descend [ ] set foldedSet (filter isString (split "\\." name));

  # tryEval holds throw and assert. The fallback stands for an error as well as for nothing.
  attempt = fallback: value: let tried = tryEval value; in if tried.success then tried.value else fallback;

  outputsOf = package:
    let
      main = package.outputName or (head (package.outputs or [ "out" ]));
      wanted =
        if package.outputSpecified or false then [ main ] # openssl.dev asks for dev alone
        else attempt [ main ] (package.meta.outputsToInstall or [ main ]);
      kept = filter (name: name != "man") wanted;
    in
    map
      (name: { inherit name; path = unsafeDiscardStringContext "${(package.${name} or package).outPath}"; })
      (if kept == [ ] then [ main ] else kept);

  # A flag of meta counts only where the configuration does not allow what it says. nixpkgs
  # checks in this order.
  refusal = package:
    let
      meta = attempt { } (if isAttrs (package.meta or null) then package.meta else { });
      refused = flag: allow:
        !(asked.config.${allow} or false) && attempt false ((meta.${flag} or false) == true);
    in
    if refused "unfree" "allowUnfree" then "unfree"
    else if refused "broken" "allowBroken" then "broken"
    else if refused "unsupported" "allowUnsupportedSystem" then "unsupported"
    else if refused "insecure" "allowInsecure" then "insecure"
    else "failed";

  describe = name:
    let
      result = tryEval (let r = find name; in seq r.found r);
      package = result.value.value;
      isPackage = tryEval (isAttrs package && (package.type or null) == "derivation");
      # A set that takes no system is made for one; its packages cannot be had for another.
      otherSystem = !(taken "system")
        && attempt false ((package.system or asked.system) != asked.system);
      ok = rec {
        inherit name;
        status = "ok";
        drvPath = unsafeDiscardStringContext package.drvPath;
        outputs = outputsOf package;
        forced = foldl' (all: output: seq output.path all) (seq drvPath true) outputs;
      };
    in
    if !result.success then { inherit name; status = "failed"; }
    else if !result.value.found then { inherit name; status = "not_found"; inherit (result.value) level names; }
    else if !isPackage.success then { inherit name; status = "failed"; }
    else if !isPackage.value then { inherit name; status = "not_a_package"; type = typeOf package; }
    else if otherSystem then { inherit name; status = "unsupported"; }
    else if attempt false ok.forced then removeAttrs ok [ "forced" ]
    else { inherit name; status = refusal package; };

  described = map describe asked.names;

  # Without tryEval, so that Nix prints what it died of.
  explained = let package = (find asked.explain).value; in seq package.drvPath (map (o: o.path) (outputsOf package));
in
if asked ? explain then explained
else {
  # Forced even for no names: says whether the set itself can be evaluated.
  packages = seq set (map (package: removeAttrs package [ "names" ]) described);
  levels = listToAttrs (map
    (package: { name = package.level; value = package.names; })
    (filter (package: package ? names) described));
}

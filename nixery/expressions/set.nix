# A package set as a file says it, for one system: { packages, takesSystem }.
#
# `asked`: { set, system, config }. takesSystem: whether the file is a function that was told the system.
{ asked }:
let
  inherit (builtins)
    functionArgs
    hasAttr
    intersectAttrs
    isFunction
    match
    removeAttrs
    replaceStrings
    toXML
    ;

  imported = import (/. + asked.set);

  arguments = {
    inherit (asked) system;
    overlays = [ ]; # nixpkgs would look for the ones of the server's user
    config =
      removeAttrs asked.config [ "allowInsecure" ]
      # nixpkgs has no plain flag for it, and JSON no functions.
      // (if asked.config.allowInsecure or false then { allowInsecurePredicate = _: true; } else { });
  };

  # Only what the set's function takes: many sets are no nixpkgs. An ellipsis takes everything,
  # and so does a plain argument; functionArgs shows neither, the function's XML does.
  takesAll =
    match ".*(ellipsis=\"1\"|<varpat ).*" (replaceStrings [ "\n" ] [ " " ] (toXML imported)) != null;
  taken = if takesAll then arguments else intersectAttrs (functionArgs imported) arguments;
in
{
  packages = if isFunction imported then imported taken else imported;
  takesSystem = isFunction imported && hasAttr "system" taken;
}

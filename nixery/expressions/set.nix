# Imports a package set for one system: { packages, takesSystem }.
#
# `asked`: { set, system, config, overlays }. takesSystem: whether the file is a function with the argument system.
{ asked }:
let
  inherit (builtins)
    functionArgs
    hasAttr
    intersectAttrs
    isFunction
    map
    match
    removeAttrs
    replaceStrings
    toXML
    ;

  imported = import (/. + asked.set);

  arguments = {
    inherit (asked) system;
    # Given in any case: otherwise nixpkgs would look for those of the server's user.
    overlays = map (path: import (/. + path)) asked.overlays;
    config =
      removeAttrs asked.config [ "allowInsecure" ]
      # nixpkgs needs a function for it, which JSON cannot express.
      // (if asked.config.allowInsecure or false then { allowInsecurePredicate = _: true; } else { });
  };

  # Only arguments that the set's function accepts, since many sets are not nixpkgs. An ellipsis or a plain
  # argument accepts everything; functionArgs shows neither, but the function's XML does.
  takesAll =
    match ".*(ellipsis=\"1\"|<varpat ).*" (replaceStrings [ "\n" ] [ " " ] (toXML imported)) != null;
  taken = if takesAll then arguments else intersectAttrs (functionArgs imported) arguments;

  takesOverlays = isFunction imported && hasAttr "overlays" taken;
in
if asked.overlays != [ ] && !takesOverlays then
  throw "NIXERY_OVERLAYS is set, but the package set takes no argument overlays"
else
{
  packages = if isFunction imported then imported taken else imported;
  takesSystem = isFunction imported && hasAttr "system" taken;
}

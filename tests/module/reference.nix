# docs/nixos-options.md, made out of the module; scripts/options writes it.
{
  lib ? import ./lib,
}:
let
  evaluated = lib.evalModules {
    specialArgs.pkgs = { };
    modules = [
      ./nixos.nix
      ../../module.nix
    ];
  };
  declared = lib.collect lib.isOption evaluated.options.services.nixery;
  byName = lib.listToAttrs (
    map (option: lib.nameValuePair (lib.concatStringsSep "." option.loc) option) declared
  );

  # A value as people write it in Nix.
  written =
    value:
    if lib.isAttrs value && value._type or null == "literalExpression" then
      value.text
    else if lib.isList value then
      "[ ${lib.concatMapStrings (item: "${written item} ") value}]"
    else if lib.isAttrs value then
      "{ ${lib.concatStringsSep "" (lib.mapAttrsToList binding value)}}"
    else
      builtins.toJSON value;

  binding = name: value: "${name} = ${written value}; ";

  entry = name: option: ''
    ### `${name}`

    ${ended option.description}
    - type: `${option.type.description}`
    - default: `${written (option.defaultText or option.default)}`
    - example: `${written option.example}`
  '';

  # Descriptions of several lines end with the last line's end.
  ended = text: if lib.hasSuffix "\n" text then text else "${text}\n";
in
''
  # Options of `services.nixery`

  Made out of the module by `scripts/options`; [nixos.md](nixos.md) says how they are used, and
  [configuration.md](configuration.md) what the server does with them.

''
+ lib.concatStringsSep "\n" (lib.mapAttrsToList entry byName)

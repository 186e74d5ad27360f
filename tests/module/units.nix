# Units as files, the way NixOS writes them: services and timers -> { "nixery.service" = text; }
{ lib, pkgs }:
let
  # A list is a setting given several times.
  lines =
    name: value:
    if lib.isList value then
      lib.concatMapStrings (lines name) value
    else if lib.isBool value then
      "${name}=${if value then "true" else "false"}\n"
    else
      "${name}=${toString value}\n";

  section =
    name: settings: "[${name}]\n${lib.concatStringsSep "" (lib.mapAttrsToList lines settings)}";

  # One line with all of them, and none where there are none.
  ordering =
    unit:
    lib.filterAttrs (_: value: value != "") {
      After = lib.concatStringsSep " " unit.after;
      Before = lib.concatStringsSep " " unit.before;
      Description = unit.description;
      Requires = lib.concatStringsSep " " unit.requires;
      Wants = lib.concatStringsSep " " unit.wants;
    };

  # What NixOS puts into every service's PATH.
  everywhere = [
    pkgs.coreutils
    pkgs.findutils
    pkgs.gnugrep
    pkgs.gnused
    pkgs.systemd
  ];

  environment =
    service:
    lib.mapAttrsToList (name: value: builtins.toJSON "${name}=${value}") (
      service.environment // { PATH = lib.makeBinPath (service.path ++ everywhere); }
    );

  install = unit: section "Install" { WantedBy = unit.wantedBy; };

  serviceFile =
    service:
    lib.concatStringsSep "\n" [
      (section "Unit" (ordering service // service.unitConfig))
      (section "Service" (service.serviceConfig // { Environment = environment service; }))
      (install service)
    ];

  timerFile =
    timer:
    lib.concatStringsSep "\n" [
      (section "Unit" (ordering timer // timer.unitConfig))
      (section "Timer" timer.timerConfig)
      (install timer)
    ];

  files = suffix: file: lib.mapAttrs' (name: unit: lib.nameValuePair "${name}.${suffix}" (file unit));
in
services: timers: files "service" serviceFile services // files "timer" timerFile timers

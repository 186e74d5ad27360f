# Hardening of units that run as `nixery`: they may use their own directories, the network, and the
# Nix daemon.
#
# Nix's daemon does what needs privileges, so the service needs none. Each line was tested with a
# server that evaluates, builds, packs and fetches through the daemon. Not possible are
#
#   RestrictAddressFamilies without AF_UNIX   the daemon has a Unix socket
#   ProcSubset=pid                            Nix and Python read /proc
#   a stricter system call filter             would break git
#
# `lowPort`: the service listens below 1024. That capability is valid only in the machine's user
# namespace, so the service cannot have its own.
{ lowPort }:
{
  ProtectSystem = "strict";
  ProtectHome = true;
  PrivateTmp = true;
  PrivateDevices = true;
  PrivateUsers = !lowPort;
  PrivateMounts = true;
  PrivateIPC = true;

  ProtectClock = true;
  ProtectControlGroups = true;
  ProtectHostname = true;
  ProtectKernelLogs = true;
  ProtectKernelModules = true;
  ProtectKernelTunables = true;
  ProtectProc = "invisible";

  RestrictAddressFamilies = [
    "AF_UNIX"
    "AF_INET"
    "AF_INET6"
  ];
  RestrictNamespaces = true;
  RestrictRealtime = true;
  RestrictSUIDSGID = true;
  LockPersonality = true;
  MemoryDenyWriteExecute = true;
  NoNewPrivileges = true;
  RemoveIPC = true;

  CapabilityBoundingSet = if lowPort then "CAP_NET_BIND_SERVICE" else "";
  AmbientCapabilities = if lowPort then "CAP_NET_BIND_SERVICE" else "";
  SystemCallArchitectures = "native";
  SystemCallFilter = [
    "@system-service"
    "~@privileged @resources"
    # For the confinement of evaluation. systemd's groups include them from version 256 on.
    "landlock_add_rule landlock_create_ruleset landlock_restrict_self"
  ];
  # An error instead of a kill, as from a kernel without the call.
  SystemCallErrorNumber = "EPERM";
}

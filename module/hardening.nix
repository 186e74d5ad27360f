# What a unit that runs as `nixery` may do: use its own directories, the network, and the Nix
# daemon.
#
# Nix does what needs rights in its daemon, so the service needs none. Each line was tried with a
# server that evaluates, builds, packs and fetches through the daemon. Not among them:
#
#   RestrictAddressFamilies without AF_UNIX   the daemon's socket is one
#   ProcSubset=pid                            Nix and Python look into /proc
#   a system call filter without @chown …     is what `~@privileged` means; more would break git
#
# `lowPort`: the service listens below 1024. The right to do so counts in the machine's user
# namespace only, so the service cannot have one of its own.
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
    # Of evaluation, which is confined to its files. systemd's groups have them from version 256 on.
    "landlock_add_rule landlock_create_ruleset landlock_restrict_self"
  ];
  # The process is told instead of killed, as by a kernel that lacks the call.
  SystemCallErrorNumber = "EPERM";
}

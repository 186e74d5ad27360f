# Two registries that share a bucket, behind one nginx.
{ set }:
let
  replica =
    { lib, ... }:
    {
      imports = [ (import ./common.nix { inherit set; }) ];
      services.nixery.storage = {
        backend = "gcs";
        gcs.bucket = "images";
        gcs.emulator = "http://bucket:4443";
      };
      # The test makes the bucket first: without it a registry ends as misconfigured.
      systemd.services.nixery.wantedBy = lib.mkForce [ ];
    };
in
{
  name = "nixery-gcs";

  nodes.bucket =
    { lib, pkgs, ... }:
    {
      networking.firewall.allowedTCPPorts = [ 4443 ];
      systemd.services.fake-gcs-server = {
        wantedBy = [ "multi-user.target" ];
        serviceConfig.ExecStart = lib.concatStringsSep " " [
          (lib.getExe' pkgs.fake-gcs-server "fake-gcs-server")
          "-scheme http -backend memory -host 0.0.0.0 -port 4443"
          "-external-url http://bucket:4443 -public-host bucket:4443"
        ];
      };
    };

  nodes.one = replica;
  nodes.two = replica;

  nodes.front =
    { pkgs, ... }:
    {
      environment.systemPackages = [ pkgs.curl ];
      services.nginx = {
        enable = true;
        upstreams.registries.servers = {
          "one:8080" = { };
          "two:8080" = { };
        };
        virtualHosts.front.locations."/" = {
          proxyPass = "http://registries";
          extraConfig = ''
            proxy_read_timeout 300s;
          '';
        };
      };
    };

  testScript = builtins.readFile ./gcs.py;
}

# A virtual host of nginx in front of the registry; docs/nginx.md explains each line.
{ config, lib, ... }:
let
  cfg = config.services.nixery;
  host = cfg.nginx.virtualHost;

  # The server's address on this machine.
  address =
    if
      lib.elem cfg.listenAddress [
        ""
        "0.0.0.0"
        "::"
      ]
    then
      "127.0.0.1"
    else if lib.hasInfix ":" cfg.listenAddress then
      "[${cfg.listenAddress}]"
    else
      cfg.listenAddress;
in
{
  options.services.nixery.nginx.virtualHost = lib.mkOption {
    type = lib.types.nullOr lib.types.str;
    default = null;
    example = "registry.example.org";
    description = ''
      The name of a virtual host of nginx in front of the registry. Certificates and the like are
      set at `services.nginx.virtualHosts.<name>`. With the `filesystem` backend nginx sends the
      blobs itself.
    '';
  };

  config = lib.mkIf (cfg.enable && host != null) {
    services.nginx = {
      enable = true;
      virtualHosts.${host}.locations = {
        "/" = {
          proxyPass = "http://${address}:${toString cfg.port}";
          # They set Host too, and a server refuses a request with two.
          recommendedProxySettings = false;
          extraConfig = ''
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            # Not $http_host, which gixy refuses; NixOS checks nginx's configuration with it.
            proxy_set_header Host $host;
            # Longer than an image may take, so that the server's own error arrives.
            proxy_read_timeout ${toString (cfg.requestTimeout + 20)}s;
            proxy_max_temp_file_size 0;
          '';
        };
      }
      // lib.optionalAttrs (cfg.storage.backend == "filesystem") {
        "/internal/layers/" = {
          alias = "${toString cfg.storage.path}/layers/";
          extraConfig = ''
            internal;
            sendfile on;
            max_ranges 1;
            etag off;
            add_header ETag $upstream_http_etag;
            add_header Docker-Content-Digest $upstream_http_docker_content_digest;
            add_header Docker-Distribution-Api-Version $upstream_http_docker_distribution_api_version;
            add_header X-Request-Id $upstream_http_x_request_id;
            # The server sends none of these with a blob, so they are empty. If somebody adds one to the
            # host or to nginx, gixy refuses a location without it.
            add_header Content-Security-Policy $upstream_http_content_security_policy;
            add_header X-Content-Type-Options $upstream_http_x_content_type_options;
            add_header X-Frame-Options $upstream_http_x_frame_options;
            add_header X-XSS-Protection $upstream_http_x_xss_protection;
          '';
        };
      };
    };

    # The group can read blobs. Set for the unit and not for the user, because then NixOS restarts a
    # running nginx; after a reload it would not have the group.
    systemd.services.nginx.serviceConfig = lib.mkIf (cfg.storage.backend == "filesystem") {
      SupplementaryGroups = [ "nixery" ];
    };
  };
}

# A virtual host of nginx in front of the registry; docs/nginx.md explains each line.
{ config, lib, ... }:
let
  cfg = config.services.nixery;
  host = cfg.nginx.virtualHost;

  # Where the server is reached from this machine.
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
      The name of a virtual host of nginx that leads to the registry. Certificates and the like are
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
          # They say Host, too, and a server refuses a request that says it twice.
          recommendedProxySettings = false;
          extraConfig = ''
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            # Not $http_host: NixOS lets gixy check nginx's configuration, which refuses that.
            proxy_set_header Host $host;
            # Above the time that an image may take, so that the server's own answer is seen.
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
            # Of a blob the server says none of these, so nothing is said. But where somebody adds one
            # to the host or to all of nginx, gixy refuses a location that does not name it.
            add_header Content-Security-Policy $upstream_http_content_security_policy;
            add_header X-Content-Type-Options $upstream_http_x_content_type_options;
            add_header X-Frame-Options $upstream_http_x_frame_options;
            add_header X-XSS-Protection $upstream_http_x_xss_protection;
          '';
        };
      };
    };

    # Blobs can be read by the group. It is said of the unit, and not of the user, because then NixOS
    # starts an nginx anew that runs already; a reload would leave it without.
    systemd.services.nginx.serviceConfig = lib.mkIf (cfg.storage.backend == "filesystem") {
      SupplementaryGroups = [ "nixery" ];
    };
  };
}

# The package source.
{ lib, ... }:
let
  inherit (lib) mkOption types;
in
{
  options.services.nixery.source = {
    channel = mkOption {
      type = types.nullOr types.str;
      default = null;
      example = "nixos-unstable";
      description = ''
        A branch of the channel repository, or a full commit id. Exactly one of `channel`, `repo`
        and `path` must be set.
      '';
    };

    repo = mkOption {
      type = types.nullOr types.str;
      default = null;
      example = "git@git.example.org:packages.git";
      description = ''
        A git repository with a package set: `https://…`, `ssh://…`, `git@host:path`, `file:///…` or
        `/path`. The image's tag selects a branch, a tag or a full commit id; `latest` is its HEAD.
      '';
    };

    path = mkOption {
      type = types.nullOr types.path;
      default = null;
      example = lib.literalExpression "pkgs.path";
      description = ''
        A file or directory that Nix imports as the package set. A path literal is copied to the Nix
        store. A string is used in place, so the service must be able to read it there.
      '';
    };

    channelUrl = mkOption {
      type = types.str;
      default = "https://github.com/NixOS/nixpkgs";
      example = "https://git.example.org/mirrors/nixpkgs";
      description = "The repository that `channel` is a branch of.";
    };

    allowedRefs = mkOption {
      type = types.nonEmptyListOf types.str;
      default = [
        "refs/heads/*"
        "refs/tags/*"
      ];
      example = [ "refs/heads/main" ];
      description = ''
        The refs of `repo` that clients may use; one of them must contain a requested commit. `*`
        disables the check: on a public forge, anybody can then choose the evaluated code by opening
        a pull request.
      '';
    };

    tags = mkOption {
      type = types.nonEmptyListOf types.str;
      default = [ "latest" ];
      example = [ "*" ];
      description = ''
        Tags that clients may use if packages come from `channel` or `path`. A channel's current
        revision is always a valid tag. `*` accepts any tag.
      '';
    };

    resolveTtl = mkOption {
      type = types.ints.unsigned;
      default = 60;
      example = 3600;
      description = ''
        Seconds to cache what a branch, channel or path resolved to.
      '';
    };

    trees = mkOption {
      type = types.ints.positive;
      default = 2;
      example = 8;
      description = ''
        Revisions of a channel or repository whose files are kept. Those of nixpkgs take 450 MB each.
        Revisions in use are kept in addition.
      '';
    };

    sshKeyFile = mkOption {
      type = types.nullOr types.path;
      default = null;
      example = "/run/secrets/nixery-ssh-key";
      description = ''
        A private key without a passphrase, for repositories that are read over ssh. systemd passes
        it to the service; only root needs to be able to read it. It must not be in the Nix store.
      '';
    };

    knownHostsFile = mkOption {
      type = types.nullOr types.path;
      default = null;
      example = lib.literalExpression ''pkgs.writeText "hosts" "git.example.org ssh-ed25519 AAAA…"'';
      description = ''
        The host keys that ssh accepts, in the format of `known_hosts`. The
        default is those of `programs.ssh.knownHosts`. An unknown host is always refused.
      '';
    };

    netrcFile = mkOption {
      type = types.nullOr types.path;
      default = null;
      example = "/run/secrets/nixery-netrc";
      description = ''
        A netrc file with user names and passwords for repositories that are read over https. It
        must not be in the Nix store.
      '';
    };
  };
}

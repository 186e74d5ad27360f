# A package set for tests, shaped like nixpkgs. It builds in seconds out of a static busybox.
{
  system ? "x86_64-linux",
  config ? { },
  overlays ? [ ],
}:
let
  build = import ./build.nix { inherit system config; };
  inherit (build)
    applets
    package
    shell
    withMeta
    ;

  set = rec {
    bash = withMeta shell { };
    bashInteractive = bash;
    busybox = bash;
    coreutils = applets "coreutils" "ls cat cp mv rm mkdir rmdir ln chmod chown echo env id head tail sort uniq wc tr cut date stat sha256sum md5sum touch test true false sleep dd df du tee basename dirname readlink uname yes seq";
    findutils = applets "findutils" "find xargs";
    gnugrep = applets "gnugrep" "grep egrep fgrep";
    gnused = applets "gnused" "sed";
    gnutar = applets "gnutar" "tar";
    gzip = applets "gzip" "gzip gunzip zcat";
    gawk = applets "gawk" "awk";

    glibc = package {
      pname = "glibc";
      version = "2.40";
      outputs = [
        "out"
        "bin"
        "dev"
      ];
      size = 300000;
    };
    zlib = package {
      pname = "zlib";
      version = "1.3.1";
      outputs = [
        "out"
        "dev"
      ];
      deps = [ glibc ];
      bins = [ ];
      size = 20000;
    };
    openssl = package {
      pname = "openssl";
      version = "3.3.2";
      outputs = [
        "bin"
        "dev"
        "out"
        "man"
      ];
      deps = [
        glibc
        zlib
      ];
      size = 120000;
    };
    ncurses = package {
      pname = "ncurses";
      version = "6.5";
      deps = [ glibc ];
      size = 60000;
    };
    cacert = package {
      pname = "nss-cacert";
      version = "3.108";
      bins = [ ];
      script = "bb mkdir -p $out/etc/ssl/certs; echo '-----BEGIN CERTIFICATE-----' > $out/etc/ssl/certs/ca-bundle.crt";
    };
    iana-etc = package {
      pname = "iana-etc";
      version = "20240318";
      bins = [ ];
      script = "bb mkdir -p $out/etc; echo 'https 443/tcp' > $out/etc/services; echo 'tcp 6 TCP' > $out/etc/protocols";
    };

    hello = package {
      pname = "hello";
      meta.mainProgram = "hello";
      version = "2.12.1";
      deps = [ glibc ];
    };
    moreutils = package {
      pname = "moreutils";
      deps = [
        glibc
        perl
      ];
      bins = [
        "sponge"
        "ts"
      ];
    };
    nano = package {
      pname = "nano";
      version = "8.2";
      deps = [ ncurses ];
    };
    htop = package {
      pname = "htop";
      version = "3.3.0";
      deps = [ ncurses ];
    };
    curl = package {
      pname = "curl";
      version = "8.11.0";
      outputs = [
        "bin"
        "dev"
        "out"
        "man"
        "devdoc"
      ];
      deps = [
        openssl.out
        zlib
      ];
    };
    perl = package {
      pname = "perl";
      version = "5.40.0";
      outputs = [
        "out"
        "man"
        "devdoc"
      ];
      deps = [
        glibc
        zlib
      ];
      size = 400000;
    };
    python3 = package {
      pname = "python3";
      version = "3.12.7";
      deps = [
        glibc
        zlib
        openssl.out
        ncurses
      ];
      size = 800000;
    };
    git = package {
      pname = "git";
      version = "2.47.0";
      deps = [
        glibc
        zlib
        openssl.out
        perl
        curl.out
        python3
      ];
      size = 200000;
    };
    nginx = package {
      pname = "nginx";
      version = "1.26.2";
      deps = [
        openssl.out
        zlib
      ];
    };
    jq = package {
      pname = "jq";
      version = "1.7.1";
      outputs = [
        "bin"
        "doc"
        "man"
        "dev"
        "out"
      ];
      deps = [ glibc ];
    };

    # names that need repair: nested, in camel case, upper case, with a leading digit
    xorg = {
      xev = package {
        pname = "xev";
        deps = [ glibc ];
      };
      recurseForDerivations = true;
    };
    haskellPackages = {
      stylish-haskell = package {
        pname = "stylish-haskell";
        deps = [ glibc ];
        size = 50000;
      };
    };
    R = package {
      pname = "R";
      deps = [ perl ];
    };
    _1password = package {
      pname = "1password";
      version = "2.30";
    };

    # no packages
    lib = {
      version = "24.11";
    };
    aFunction = x: x;
    aString = "text";
  };
in
set // import ./shapes.nix { inherit build; } // import ./failing.nix { inherit build; }

# Packages whose files, names and collisions an image must get right.
{ build }:
let
  inherit (build) package shell;
  inherit (builtins) concatStringsSep genList;
  long = length: concatStringsSep "" (genList (_: "n") length);
in
{
  odd = package {
    pname = "odd";
    script = ''
      bb mkdir -p $out/deep/a/b $out/deep/emptydir/within
      echo x > $out/deep/a/b/f
      bb ln $out/deep/a/b/f $out/deep/hard
      bb ln $out/deep/a/b/f $out/deep/a/again
      bb ln -s ../f $out/deep/a/dangling
      bb ln -s ${shell}/bin/sh $out/deep/abs
      bb ln -s b $out/deep/a/dirlink
      : > $out/deep/empty
      echo x > $out/deep/executable
      bb chmod 755 $out/deep/executable
      echo x > "$out/deep/nämé with space"
      echo x > "$out/deep/$(bb printf 'caf\351')"

      # tar's plain header has room for 100 bytes, 255 with its prefix
      echo x > $out/deep/${long 120}
      echo x > $out/deep/${long 255}
      nested=$out/deep/${long 90}/${long 90}/${long 90}
      bb mkdir -p $nested
      echo x > $nested/file
      bb ln -s $nested/file $out/deep/to-long
      bb ln $nested/file $out/deep/hard-to-long
    '';
  };

  env-script = package {
    pname = "env-script";
    bins = [ ];
    script = ''
      bb printf '#!/usr/bin/env bash\necho found by env\n' > $out/bin/env-script
      bb chmod 755 $out/bin/env-script
    '';
  };

  # Both have bin/collide and a directory share/collide with a file of their own.
  collide-a = package {
    pname = "collide-a";
    bins = [ "collide" ];
    script = "bb mkdir $out/share/collide; echo a > $out/share/collide/a; echo a > $out/share/collide/both";
  };
  collide-b = package {
    pname = "collide-b";
    bins = [ "collide" ];
    script = "bb mkdir $out/share/collide; echo b > $out/share/collide/b; echo b > $out/share/collide/both";
  };

  # 10 MB of log, in lines and in one line
  chatty = package {
    pname = "chatty";
    script = "bb awk 'BEGIN { for (i = 0; i < 50000; i++) printf \"%0200d\\n\", i }'";
  };
  chatty-line = package {
    pname = "chatty-line";
    script = "bb head -c 10000000 /dev/zero | bb tr '\\0' x; echo; echo the last line";
  };
}

# `nixery popcount` as a separate command, like that of the Go server.
{
  runCommand,
  makeWrapper,
  nixery-bin,
}:
runCommand "nixery-popcount-${nixery-bin.version}"
  {
    nativeBuildInputs = [ makeWrapper ];
    meta = {
      description = "Counts how often the packages of a set are referred to";
      inherit (nixery-bin.meta) license platforms;
      mainProgram = "nixery-popcount";
    };
  }
  ''
    mkdir -p $out/bin
    makeWrapper ${nixery-bin}/bin/nixery $out/bin/nixery-popcount --add-flags popcount
  ''

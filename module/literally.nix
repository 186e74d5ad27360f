# Text -> the same text in a unit, where `%` begins a specifier.
{ lib }: lib.replaceStrings [ "%" ] [ "%%" ]

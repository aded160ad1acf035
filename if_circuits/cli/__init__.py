"""The commands of the command line, one a module: each adds its parser and carries itself out."""

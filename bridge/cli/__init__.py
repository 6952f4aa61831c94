"""The commands. One file a group; `main` puts them together."""

"""One TOML file a theme; a file in the user's settings folder `themes/` adds one or replaces one of the same name."""

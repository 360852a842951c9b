"""The sections of a recipe, one file each: fields, ranges, defaults, help, consequences."""

"""The demo's dataset, tiny base model and recipe, with the scripts that build them."""

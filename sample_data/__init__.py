"""The dataset, the tiny base model and the recipe of the demo, with the scripts that build them."""

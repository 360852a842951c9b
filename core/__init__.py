"""The engine room of tunedeck: data, recipes, jobs and the workers that train. It knows no terminal."""

__version__ = "0.1.0"

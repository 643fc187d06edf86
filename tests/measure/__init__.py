"""The measurements behind the choices made in the code: ``python -m tests.measure NAME``."""

"""The bundled article, as data."""

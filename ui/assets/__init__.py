"""The page's style and script, as data."""

"""The page of an evaluation: report.html, one file that needs nothing beside it."""

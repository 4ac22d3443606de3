"""Names of the files that evaluation.py writes. Imports nothing, so that the launcher can use them."""

EVALUATION_JSON = "evaluation.json"
REPORT_HTML = "report.html"

"""The summary of a column of a CSV file."""

import csv
import io
from typing import Any


def summary(text: str, column: str) -> dict[str, Any]:
    rows = list(csv.DictReader(io.StringIO(text)))
    if not rows or column not in rows[0]:
        raise LookupError(f"there is no column {column}")
    values = [float(row[column]) for row in rows if row[column]]
    if not values:
        return {"rows": len(rows), "values": 0}
    return {
        "rows": len(rows),
        "values": len(values),
        "mean": sum(values) / len(values),
        "smallest": min(values),
        "largest": max(values),
    }

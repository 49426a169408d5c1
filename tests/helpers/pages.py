"""What a page holds."""

import json
import re


def data_of(page):
    """Return the data of the figures of a page."""
    return [json.loads(found) for found in re.findall(r'<script type="application/json">(.*?)</script>', page)]

"""What schemathesis must know of JSON that no schema can say. Named by SCHEMATHESIS_HOOKS."""

from typing import Any

import schemathesis


@schemathesis.hook
def map_body(context: schemathesis.HookContext, body: Any) -> Any:
    """JSON Schema takes 3.0 for a whole number, the core does not."""
    return whole(body)


def whole(value: Any) -> Any:
    """The value with whole numbers written as such."""
    if isinstance(value, dict):
        return {key: whole(each) for key, each in value.items()}
    if isinstance(value, list):
        return [whole(each) for each in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value

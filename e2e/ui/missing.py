"""What a missing program means for a test, as in internal/parts. It stands apart because scripts start the same programs without pytest."""

from collections.abc import Callable

import pytest

from processes import Missing, required


def real(make: Callable):
    """What make gives; where a part of it is missing, the test is skipped or fails."""
    try:
        return make()
    except Missing as e:
        if required():
            pytest.fail(str(e), pytrace=False)
        pytest.skip(str(e))

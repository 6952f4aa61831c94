"""One error of each kind, with the words that a description has for it; the descriptions of all dialects use them."""

from collections.abc import Mapping

from bridge.api import faults
from bridge.model import errors


def _too_large() -> faults.BodyTooLarge:
    """The limit stands at the head of the document."""
    error = faults.BodyTooLarge(0)
    error.args = ("larger than is allowed",)
    return error


_SAMPLES: Mapping[type[BaseException], BaseException] = {
    faults.Forbidden: faults.Forbidden("these credentials belong to another project, or lack the scope that is named"),
    faults.NotJson: faults.NotJson("it is not JSON, nested too deep, or of another media type"),
    faults.BodyTooLarge: _too_large(),
    faults.BadField: faults.BadField("NAME", "what this field or parameter has to be"),
    errors.TooBroad: errors.TooBroad(0),
}


def sample(kind: type[BaseException]) -> BaseException:
    return _SAMPLES.get(kind) or kind()

"""How deep JSON nests, without decoding it."""

import re

_NOT_BRACKETS = re.compile(rb'(?:"[^"\\]*+(?:\\.[^"\\]*+)*+"|[^"\[\]{}]++)++', re.DOTALL)
"""Strings, and everything else that is not a bracket. Possessive, so linear."""
_SQUARE_TO_CURLY = bytes.maketrans(b"[]", b"{}")


def nests_deeper(text: bytes, most: int) -> bool:
    """Whether well-formed JSON has more than `most` levels of objects and arrays, the outermost included."""
    if text.count(b"{") + text.count(b"[") <= most:
        return False
    brackets = _NOT_BRACKETS.sub(b"", text).translate(_SQUARE_TO_CURLY)
    for _ in range(most):  # each turn takes the innermost pairs away
        brackets = brackets.replace(b"{}", b"")
        if not brackets:
            return False
    return True

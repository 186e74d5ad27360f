r"""Bytes of damaged records: arbitrary, or valid records with replaced parts.

json_texts()            JSON text, also for lenient parsers only: NaN, 1e999, "\ud800"
mutants(record)         a valid record's bytes, with a part replaced, missing, doubled or cut
every_replaced(record)  each of its values in turn replaced by each of RAW
"""

import json

from hypothesis import strategies as st

RAW = (
    *("1e999", "-1e999", "NaN", "Infinity", "-0", "1.5", "true", "null", "[]", "{}", '""'),
    *(str(1 << 31), str((1 << 63) - 1), str(1 << 63), str(-(1 << 63)), "9" * 5000),
    *(r'"\ud800"', r'"\u0000"', r'"\udc80x"', '"../../../etc/passwd"', f'"{"x" * 70_000}"'),
    *('{"a":1,"a":2}', "[" * 2000 + "]" * 2000, "[" * 100_000, '{"":' * 600 + "1" + "}" * 600),
    *(f'"sha256:{"A" * 64}"', f'"sha256:{"a" * 64}"', f'"{"0" * 64}"', f'"{"0" * 64}\\n"'),
)  # fmt: skip
"""Replacements of a value."""

_TEXT = st.text(st.characters(exclude_categories=()))
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | _TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_TEXT, inner, max_size=4),
    max_leaves=12,
)
_MARK = "@@ here @@"


def json_texts():
    return _VALUES.map(json.dumps) | st.sampled_from(RAW)


def every_replaced(record):
    """Also in a record that is a string of this one."""
    value = json.loads(record)
    for holder, at in _places(value):
        kept = holder[at]
        if isinstance(kept, str) and kept.startswith("{"):
            for inner in every_replaced(kept):
                holder[at] = inner.decode(errors="replace")
                yield json.dumps(value).encode()
        holder[at] = _MARK
        text = json.dumps(value)
        holder[at] = kept
        yield from (text.replace(json.dumps(_MARK), raw).encode() for raw in RAW)


@st.composite
def mutants(draw, record):
    """Of a record of JSON, as bytes."""
    match draw(st.sampled_from(["value", "value", "value", "bytes"])):
        case "value":
            return _replaced(draw, json.loads(record)).encode(errors="surrogatepass")
        case "bytes":
            start = draw(st.integers(0, len(record)))
            end = start + draw(st.integers(0, 3) | st.just(len(record)))
            return record[:start] + draw(st.binary(max_size=5)) + record[end:]


def _replaced(draw, value):
    """The record as text, with one of its values replaced, or a member or element added."""
    places = list(_places(value))
    holder, at = draw(st.sampled_from(places)) if places else (None, None)
    if holder is None:
        return draw(json_texts())
    if isinstance(holder[at], str) and holder[at].startswith("{") and draw(st.integers(0, 3)):
        holder[at] = _replaced(draw, json.loads(holder[at]))  # a record in a record
    elif draw(st.booleans()):
        holder[at] = _MARK
    elif isinstance(holder, list):
        holder.insert(at, draw(st.sampled_from([holder[at], _MARK])))
    else:
        held = holder.pop(at)
        holder |= draw(st.sampled_from([{}, {_MARK: held}, {at: held, "other": _MARK}]))
    return json.dumps(value).replace(json.dumps(_MARK), draw(json_texts()))


def _places(value):
    if isinstance(value, dict | list):
        for at in value if isinstance(value, dict) else range(len(value)):
            yield value, at
            yield from _places(value[at])

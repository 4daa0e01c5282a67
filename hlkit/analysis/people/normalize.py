"""What people are known by, written alike so that it can be compared: names, emails, phones, addresses.

All of it works on whole columns. A text becomes a code, the same for the same text; -1 is none.
"""

from __future__ import annotations

import functools
import importlib
import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from hlkit.analysis.core.groups import Array
from hlkit.client.schema import TEXT

Codes = npt.NDArray[np.int64]
Likeness = Callable[[Sequence[str], Sequence[str]], npt.NDArray[np.float32]]

# Short forms that neither the first letters nor a likeness of letters tell. Written by hand for hlkit.
_SHORT_FORMS = """
robert: bob bobby rob robbie bert; william: bill billy will willie liam; richard: dick rick ricky rich;
margaret: peggy maggie meg marge; elizabeth: liz lizzie beth betty betsy eliza libby; michael: mike mick mickey;
james: jim jimmy jamie; john: jack johnny; joseph: joe joey; thomas: tom tommy; charles: chuck charlie;
edward: ed eddie ted ned; theodore: theo; anthony: tony; antonio: tony; andrew: andy drew; alexander: alex;
alexandra: alex; henry: hank harry; harold: hal; lawrence: larry; francis: frank; francisco: paco pancho;
jose: pepe; ignacio: nacho; guadalupe: lupe; katherine: kate katie kathy; catherine: kate katie cathy;
patricia: pat patty tricia trish; patrick: pat paddy; barbara: barb babs; deborah: deb debbie;
rebecca: becky becca; jennifer: jen jenny; jessica: jess jessie; susan: sue suzy; samantha: sam;
samuel: sam sammy; pamela: pam; christine: chris tina; christina: chris tina; christopher: chris kit topher;
kimberly: kim; victoria: vicky tori; dorothy: dot dottie; virginia: ginny; eugene: gene; gerald: gerry jerry;
leonard: len lenny leo; ronald: ron ronnie; donald: don donnie; stephen: steve; steven: steve; matthew: matt;
nathaniel: nate; nicholas: nick nicky; vincent: vince vinny; walter: walt wally; zachary: zach zack;
abigail: abby gail; daniel: dan danny; david: dave davey; peter: pete; kenneth: ken kenny; gregory: greg;
joshua: josh; benjamin: ben benny; timothy: tim; frederick: fred freddy; alfred: al; albert: al bert;
cynthia: cindy; judith: judy; sandra: sandy; teresa: terry tess; theresa: terry tess; jacqueline: jackie;
philip: phil; phillip: phil
"""
# No mailbox of anybody, as forms are filled in to get past them.
_NOBODY = r"^(none|noemail|no[-_.]email|n/?a|no|nobody|unknown|test|no[-_.]?reply|email|x+)@"
_TITLE, _SUFFIX = r"^(mr|mrs|ms|miss|dr|prof) ", r" (jr|sr|ii|iii|iv|junior|senior)$"
_NORTH_AMERICA = "US CA PR DO JM TT BS BB AG AI AS BM DM GD GU KN KY LC MP MS SX TC VC VG VI"


def texts(column: pd.Series) -> Any:
    """A column of any dtype as Arrow texts, null where it has none."""
    if column.dtype != TEXT.dtype:
        column = column.astype("object").map(_legible, na_action="ignore").astype(TEXT.dtype)
    return pa.array(column, type=pa.large_string(), from_pandas=True)


def _legible(value: Any) -> str:
    return str(value).encode("utf-8", "replace").decode()  # a lone surrogate is no text


def seconds(items: Sequence[Any], name: str) -> list[str]:
    """A contact's other emails or phones as texts, of a list of texts or of objects that have them as *name*."""
    found = (item.get(name) if isinstance(item, dict) else item for item in items)
    return [str(one) for one in found if isinstance(one, (str, int)) and not isinstance(one, bool)]


def codes(*columns: Any) -> tuple[Array, list[Codes]]:
    """The different texts of all *columns*, and each column as their codes."""
    whole = pa.chunked_array(columns, type=pa.large_string()).combine_chunks()
    coded = pc.dictionary_encode(whole)
    coded = coded.combine_chunks() if isinstance(coded, pa.ChunkedArray) else coded
    values = pc.fill_null(coded.indices, -1).to_numpy(zero_copy_only=False).astype("int64")
    ends = np.cumsum([len(column) for column in columns])[:-1]
    return coded.dictionary.to_numpy(zero_copy_only=False), np.split(values, ends)


def plain(column: Any) -> Any:
    """Small letters and digits alone, accents gone, a blank between words; null where nothing is left."""
    text = pc.utf8_normalize(pc.utf8_lower(column), form="NFKD")
    text = _swap(_swap(text, r"[\p{M}'’`]+", ""), r"[^\p{L}\p{N}]+", " ")
    return _or_null(pc.utf8_trim_whitespace(text))


def _swap(column: Any, pattern: str, by: str) -> Any:
    return pc.replace_substring_regex(column, pattern, by)


def _or_null(column: Any, where: Any = None) -> Any:
    """*column* with null where it is empty, or where *where* is not true."""
    keep = pc.not_equal(column, "") if where is None else where
    return pc.if_else(pc.fill_null(keep, False), column, pa.scalar(None, pa.large_string()))


# ---- each kind of text


def names(first: Any, last: Any, whole: Any) -> tuple[Any, Any]:
    """First and last names without titles; from the whole name where a row has neither."""
    first, last, whole = (_swap(_swap(plain(one), _TITLE, ""), _SUFFIX, "") for one in (first, last, whole))
    neither = pc.and_(pc.is_null(first), pc.is_null(last))
    first = pc.if_else(neither, whole, first)
    several = pc.fill_null(pc.and_(pc.is_null(last), pc.match_substring(first, " ")), False)
    last = pc.if_else(several, _swap(first, r"^.* ", ""), last)
    first = pc.if_else(several, _swap(first, r" [^ ]*$", ""), first)
    return first, last


def emails(column: Any) -> Any:
    """Addresses in small letters without what follows a plus; for Gmail without dots. Null where it is none."""
    text = pc.utf8_lower(pc.utf8_trim_whitespace(column))
    text = _swap(_swap(text, r"^([^+@]+)\+[^@]*@", r"\1@"), r"@googlemail\.com$", "@gmail.com")
    gmail = pc.fill_null(pc.ends_with(text, "@gmail.com"), False)
    if pc.any(gmail).as_py():
        without_dots = pc.replace_substring(_swap(text, r"@.*$", ""), ".", "")
        text = pc.if_else(gmail, _swap(without_dots, r"$", "@gmail.com"), text)
    whole = pc.match_substring_regex(text, r"^[^@\s]+@[^@\s]+\.[^@\s.]+$")
    return _or_null(text, pc.and_not(whole, pc.match_substring_regex(text, _NOBODY)))


def phones(column: Any, country: str) -> Any:
    """Numbers as +, country code and digits; one without a country code is of *country*. Null where it is none.

    Where a country's own prefix is not known (the extra ``dedupe`` knows all), its numbers stay as dialled.
    """
    text = _swap(pc.utf8_lower(column), r"(ext|x|#|;).*$", "")
    text = _swap(pc.replace_substring(text, "(0)", ""), r"[^+\d]", "")
    code, prefix, abroad = dialling(country)
    abroad = abroad if code else "00"
    known = _swap(text, rf"^(?:{abroad})", "+") if abroad else text
    if code:
        at_home = _swap(known, rf"^(?:{prefix})(\d)", r"\1") if prefix else known
        known = pc.if_else(
            pc.fill_null(pc.starts_with(known, "+"), False),
            known,
            _swap(at_home, r"^", f"+{code}"),
        )
    long_enough = pc.match_substring_regex(known, r"^\+?\d{8,15}$")
    american = pc.or_(pc.invert(pc.starts_with(known, "+1")), pc.match_substring_regex(known, r"^\+1[2-9]\d{9}$"))
    return _or_null(known, pc.and_(long_enough, american))


@functools.lru_cache(maxsize=64)
def dialling(country: str) -> tuple[str, str, str]:
    """A country's code, what is dialled before a number within it, and before one abroad; empty if unknown."""
    country = country.strip().upper()
    if country in _NORTH_AMERICA.split():
        return "1", "1", "011"
    try:
        phonenumbers = importlib.import_module("phonenumbers")
    except ImportError:
        return "", "", ""
    told = phonenumbers.PhoneMetadata.metadata_for_region(country, None)
    if told is None:
        return "", "", ""
    return str(told.country_code), told.national_prefix or "", told.international_prefix or "00"


def addresses(column: Any) -> tuple[Any, Any]:
    """The street without its numbers, and the first number."""
    text = plain(column)
    street = _or_null(pc.utf8_trim_whitespace(_swap(_swap(text, r"\S*\d\S*", ""), r" +", " ")))
    house = _or_null(_swap(text, r"^\D*(\d+).*$", r"\1"), pc.match_substring_regex(text, r"\d"))
    return street, house


# ---- names that are alike


class Words:
    """The different names of a column, and which of them are alike."""

    def __init__(self, words: Array) -> None:
        self.words = words
        self._likeness = likeness()
        self._size = max(1, len(words))
        places = {word: place for place, word in enumerate(words.tolist())}
        pairs = [(places[one], places[other]) for one, other in _short_forms() if one in places and other in places]
        self._short = np.unique(np.array([one * self._size + other for one, other in pairs], dtype="int64"))

    def alike(self, a: Codes, b: Codes, least: float) -> Any:
        """Whether each of *a* is as *b*: equal, a short form of it, or by Jaro-Winkler at least *least*.

        A name that is missing is like none.
        """
        known = (a >= 0) & (b >= 0)
        out = known & (a == b)
        ask = np.flatnonzero(known & ~out)
        if len(ask):
            # The same two names are compared once, however often they meet.
            met, at = np.unique(a[ask] * self._size + b[ask], return_inverse=True)
            near = np.isin(met, self._short)
            if self._likeness is not None:
                one, other = self.words[met // self._size].tolist(), self.words[met % self._size].tolist()
                near |= self._likeness(one, other) >= least
            out[ask] = near[at]
        return out


def likeness() -> Likeness | None:
    """Jaro-Winkler of pairs of texts at once, or ``None`` without the extra ``dedupe``."""
    try:
        process = importlib.import_module("rapidfuzz.process")
        scorer = importlib.import_module("rapidfuzz.distance").JaroWinkler.normalized_similarity
    except ImportError:
        return None
    return lambda one, other: process.cpdist(one, other, scorer=scorer, dtype=np.float32)


@functools.cache
def _short_forms() -> frozenset[tuple[str, str]]:
    """Pairs of names of which one is a short form of the other, or both of the same; both ways round.

    Sam is like Samuel and like Samantha, who are not alike.
    """
    out = set[tuple[str, str]]()
    for entry in re.split(r";\s*", _SHORT_FORMS.strip()):
        name, _, shorts = entry.partition(":")
        forms = [name.strip(), *shorts.split()]
        out.update((one, other) for one in forms for other in forms if one != other)
    return frozenset(out)

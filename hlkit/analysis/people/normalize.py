"""Normalized names, emails, phone numbers and addresses, so that two spellings of one value compare as equal.

Every function takes and returns whole Arrow columns of text. ``encode`` turns texts into integer codes: equal texts
get the same code, and a missing text is -1.
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

from hlkit.analysis.core.shares import Array
from hlkit.client.schema import TEXT

Codes = npt.NDArray[np.int64]
Similarity = Callable[[Sequence[str], Sequence[str]], npt.NDArray[np.float32]]

# Nicknames that share neither their first letters nor most of their letters with the full name. Written for hlkit.
_NICKNAMES = """
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
# Fake addresses that people type to get past a form.
_FAKE_EMAIL = r"^(none|noemail|no[-_.]email|n/?a|no|nobody|unknown|test|no[-_.]?reply|email|x+)@"
_TITLE, _SUFFIX = r"^(mr|mrs|ms|miss|dr|prof) ", r" (jr|sr|ii|iii|iv|junior|senior)$"
_NORTH_AMERICA = "US CA PR DO JM TT BS BB AG AI AS BM DM GD GU KN KY LC MP MS SX TC VC VG VI"


def to_arrow(column: pd.Series) -> Any:
    """A column of any dtype as an Arrow array of texts; missing values are null."""
    if column.dtype != TEXT.dtype:
        column = column.astype("object").map(_to_text, na_action="ignore").astype(TEXT.dtype)
    return pa.array(column, type=pa.large_string(), from_pandas=True)


def _to_text(value: Any) -> str:
    return str(value).encode("utf-8", "replace").decode()  # Arrow refuses lone surrogates


def additional_values(items: Sequence[Any], key: str) -> list[str]:
    """A contact's additional emails or phones as texts; an item is the value or a dict with it under *key*."""
    values = (item.get(key) if isinstance(item, dict) else item for item in items)
    return [str(value) for value in values if isinstance(value, (str, int)) and not isinstance(value, bool)]


def encode(*columns: Any) -> tuple[Array, list[Codes]]:
    """The distinct texts of all *columns*, and each column as codes: positions in these texts, -1 for null."""
    combined = pa.chunked_array(columns, type=pa.large_string()).combine_chunks()
    encoded = pc.dictionary_encode(combined)
    encoded = encoded.combine_chunks() if isinstance(encoded, pa.ChunkedArray) else encoded
    codes = pc.fill_null(encoded.indices, -1).to_numpy(zero_copy_only=False).astype("int64")
    ends = np.cumsum([len(column) for column in columns])[:-1]
    return encoded.dictionary.to_numpy(zero_copy_only=False), np.split(codes, ends)


def normalize_text(column: Any) -> Any:
    """Lowercase letters and digits without accents, one space between words; null if nothing remains."""
    text = pc.utf8_normalize(pc.utf8_lower(column), form="NFKD")
    text = _replace(_replace(text, r"[\p{M}'’`]+", ""), r"[^\p{L}\p{N}]+", " ")
    return _or_null(pc.utf8_trim_whitespace(text))


def _replace(column: Any, pattern: str, replacement: str) -> Any:
    return pc.replace_substring_regex(column, pattern, replacement)


def _or_null(column: Any, is_valid: Any = None) -> Any:
    """*column* with null where *is_valid* is not true; without *is_valid*, where the text is empty."""
    keep = pc.not_equal(column, "") if is_valid is None else is_valid
    return pc.if_else(pc.fill_null(keep, False), column, pa.scalar(None, pa.large_string()))


# ---- names, emails, phones, addresses


def normalize_names(first: Any, last: Any, full: Any) -> tuple[Any, Any]:
    """First and last names without titles and suffixes; a row with neither gets both from its *full* name."""
    first, last, full = (
        _replace(_replace(normalize_text(column), _TITLE, ""), _SUFFIX, "") for column in (first, last, full)
    )
    has_neither = pc.and_(pc.is_null(first), pc.is_null(last))
    first = pc.if_else(has_neither, full, first)
    is_full = pc.fill_null(pc.and_(pc.is_null(last), pc.match_substring(first, " ")), False)
    last = pc.if_else(is_full, _replace(first, r"^.* ", ""), last)
    first = pc.if_else(is_full, _replace(first, r" [^ ]*$", ""), first)
    return first, last


def normalize_emails(column: Any) -> Any:
    """Lowercase addresses without a "+tag", and for Gmail without dots; null if the text is not an email address."""
    text = pc.utf8_lower(pc.utf8_trim_whitespace(column))
    text = _replace(_replace(text, r"^([^+@]+)\+[^@]*@", r"\1@"), r"@googlemail\.com$", "@gmail.com")
    is_gmail = pc.fill_null(pc.ends_with(text, "@gmail.com"), False)
    if pc.any(is_gmail).as_py():
        without_dots = pc.replace_substring(_replace(text, r"@.*$", ""), ".", "")
        text = pc.if_else(is_gmail, _replace(without_dots, r"$", "@gmail.com"), text)
    is_email = pc.match_substring_regex(text, r"^[^@\s]+@[^@\s]+\.[^@\s.]+$")
    return _or_null(text, pc.and_not(is_email, pc.match_substring_regex(text, _FAKE_EMAIL)))


def normalize_phones(column: Any, country: str) -> Any:
    """Numbers as "+", country code and digits; null if the text is not a phone number.

    A number without a country code is read as one of *country*. If that country's dialing prefixes are unknown (the
    extra ``dedupe`` knows all of them), its numbers keep their digits as written.
    """
    text = _replace(pc.utf8_lower(column), r"(ext|x|#|;).*$", "")
    text = _replace(pc.replace_substring(text, "(0)", ""), r"[^+\d]", "")
    country_code, national_prefix, international_prefix = dialing_codes(country)
    international_prefix = international_prefix if country_code else "00"
    number = _replace(text, rf"^(?:{international_prefix})", "+") if international_prefix else text
    if country_code:
        national = _replace(number, rf"^(?:{national_prefix})(\d)", r"\1") if national_prefix else number
        number = pc.if_else(
            pc.fill_null(pc.starts_with(number, "+"), False),
            number,
            _replace(national, r"^", f"+{country_code}"),
        )
    has_length = pc.match_substring_regex(number, r"^\+?\d{8,15}$")
    # North American numbers have ten digits, and their area code starts with 2 to 9.
    is_north_american = pc.match_substring_regex(number, r"^\+1[2-9]\d{9}$")
    return _or_null(number, pc.and_(has_length, pc.or_(pc.invert(pc.starts_with(number, "+1")), is_north_american)))


@functools.lru_cache(maxsize=64)
def dialing_codes(country: str) -> tuple[str, str, str]:
    """The country code, the national prefix and the international prefix of a country; empty texts if unknown."""
    country = country.strip().upper()
    if country in _NORTH_AMERICA.split():
        return "1", "1", "011"
    try:
        phonenumbers = importlib.import_module("phonenumbers")
    except ImportError:
        return "", "", ""
    metadata = phonenumbers.PhoneMetadata.metadata_for_region(country, None)
    if metadata is None:
        return "", "", ""
    return str(metadata.country_code), metadata.national_prefix or "", metadata.international_prefix or "00"


def normalize_addresses(column: Any) -> tuple[Any, Any]:
    """The street without its numbers, and the first number, of each address."""
    text = normalize_text(column)
    street = _or_null(pc.utf8_trim_whitespace(_replace(_replace(text, r"\S*\d\S*", ""), r" +", " ")))
    house_number = _or_null(_replace(text, r"^\D*(\d+).*$", r"\1"), pc.match_substring_regex(text, r"\d"))
    return street, house_number


# ---- similar names


class Vocabulary:
    """Distinct names (or streets), and which of them are similar."""

    def __init__(self, names: Array) -> None:
        self.names = names
        self._similarity = jaro_winkler()
        self._size = max(1, len(names))
        codes = {name: code for code, name in enumerate(names.tolist())}
        pairs = [(codes[a], codes[b]) for a, b in _nickname_pairs() if a in codes and b in codes]
        self._nicknames = np.unique(np.array([a * self._size + b for a, b in pairs], dtype="int64"))

    def similar(self, a: Codes, b: Codes, threshold: float) -> Any:
        """Whether the names of each pair of codes are equal, nicknames, or similar by Jaro-Winkler >= *threshold*.

        A missing name is similar to none. Without the extra ``dedupe`` there is no Jaro-Winkler similarity.
        """
        has_both = (a >= 0) & (b >= 0)
        is_similar = has_both & (a == b)
        unequal = np.flatnonzero(has_both & ~is_similar)
        if len(unequal):
            # Each distinct pair of names is compared once.
            pairs, pair_of_row = np.unique(a[unequal] * self._size + b[unequal], return_inverse=True)
            is_near = np.isin(pairs, self._nicknames)
            if self._similarity is not None:
                firsts, seconds = self.names[pairs // self._size].tolist(), self.names[pairs % self._size].tolist()
                is_near |= self._similarity(firsts, seconds) >= threshold
            is_similar[unequal] = is_near[pair_of_row]
        return is_similar


def jaro_winkler() -> Similarity | None:
    """The Jaro-Winkler similarity (0 to 1) of two lists of texts, pair by pair; None without the extra ``dedupe``."""
    try:
        process = importlib.import_module("rapidfuzz.process")
        scorer = importlib.import_module("rapidfuzz.distance").JaroWinkler.normalized_similarity
    except ImportError:
        return None
    return lambda firsts, seconds: process.cpdist(firsts, seconds, scorer=scorer, dtype=np.float32)


@functools.cache
def _nickname_pairs() -> frozenset[tuple[str, str]]:
    """Pairs of a name and its nickname, and of two nicknames of one name; each pair in both orders.

    Sam is paired with Samuel and with Samantha, but Samuel is not paired with Samantha.
    """
    pairs = set[tuple[str, str]]()
    for entry in re.split(r";\s*", _NICKNAMES.strip()):
        name, _, nicknames = entry.partition(":")
        forms = [name.strip(), *nicknames.split()]
        pairs.update((a, b) for a in forms for b in forms if a != b)
    return frozenset(pairs)

"""The formats of texts in statements: IRIs, UUIDs, mail addresses, language tags, timestamps, durations.

Sources: xAPI 1.0.3 part two, sections 2.2, 2.4 and 4; RFC 3987 and 3986 (IRIs), RFC 5646 (language tags), RFC 3339 and ISO 8601.
"""

import re
from datetime import UTC, datetime, timedelta

_UCS = (
    "\u00a0-\ud7ff\uf900-\ufdcf\ufdf0-\uffef"
    "\U00010000-\U0001fffd\U00020000-\U0002fffd\U00030000-\U0003fffd\U00040000-\U0004fffd\U00050000-\U0005fffd"
    "\U00060000-\U0006fffd\U00070000-\U0007fffd\U00080000-\U0008fffd\U00090000-\U0009fffd\U000a0000-\U000afffd"
    "\U000b0000-\U000bfffd\U000c0000-\U000cfffd\U000d0000-\U000dfffd\U000e1000-\U000efffd"
)
_PRIVATE = "\ue000-\uf8ff\U000f0000-\U000ffffd\U00100000-\U0010fffd"


def _iri(letters: str) -> re.Pattern[str]:
    plain = rf"[A-Za-z0-9\-._~!$&'()*+,;={letters}]|%[0-9A-Fa-f]{{2}}"
    host = rf"(?:\[(?:[0-9A-Fa-f:.]{{2,}}|v[0-9A-Fa-f]+\.[A-Za-z0-9\-._~!$&'()*+,;=:]+)\]|(?:{plain})*)"
    return re.compile(
        r"(?P<scheme>[A-Za-z][A-Za-z0-9+.\-]*):"
        rf"(?://(?P<authority>(?:(?:{plain}|:)*@)?(?P<host>{host})(?::[0-9]*)?)(?P<path>(?:/(?:{plain}|[:@])*)*)"
        rf"|(?P<rest>(?!//)(?:{plain}|[:@/])*))"
        rf"(?:\?(?:{plain}|[:@/?{_PRIVATE if letters else ''}])*)?"
        rf"(?:\#(?:{plain}|[:@/?])*)?"
    )


_IRI, _URI = _iri(_UCS), _iri("")
_WEB = ("http", "https", "ftp", "ws", "wss")
_UUID = re.compile(r"[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}")
_SHA1 = re.compile(r"[0-9A-Fa-f]{40}")
_SHA2 = re.compile(r"(?:[0-9A-Fa-f]{56}|[0-9A-Fa-f]{64}|[0-9A-Fa-f]{96}|[0-9A-Fa-f]{128})")
_MEDIA_TYPE = re.compile(
    r"[A-Za-z0-9!#$&^_.+\-]+/[A-Za-z0-9!#$&^_.+\-]+"
    r"(?:[ \t]*;[ \t]*[A-Za-z0-9!#$&^_.+\-]+=(?:[^\s\";]+|\"[^\"]*\"))*[ \t]*"
)
_ATOM = r"[^\s@\"(),:;<>\[\\\]\x00-\x1f\x7f?#]+"
_MAILTO = re.compile(
    rf"mailto:(?:{_ATOM}(?:\"[^\"]*\")?|\"[^\"]+\")@"
    r"(?:[^\s@\"(),:;<>\[\\\].\x00-\x1f\x7f?#/]+(?:\.[^\s@\"(),:;<>\[\\\].\x00-\x1f\x7f?#/]+)*|\[[0-9A-Fa-f.:]+\])"
)
_VERSION = re.compile(r"1\.0\.[0-9]+(?:[-+.0-9A-Za-z]*)?")
_DURATION = re.compile(
    r"P(?!$)(?:(?P<weeks>[0-9]+(?:[.,][0-9]+)?)W"
    r"|(?:[0-9]+(?:[.,][0-9]+)?Y)?(?:[0-9]+(?:[.,][0-9]+)?M)?(?:[0-9]+(?:[.,][0-9]+)?D)?"
    r"(?:T(?!$)(?:[0-9]+(?:[.,][0-9]+)?H)?(?:[0-9]+(?:[.,][0-9]+)?M)?(?:[0-9]+(?:[.,][0-9]+)?S)?)?)"
)
_FRACTION_BEFORE_THE_END = re.compile(r"[.,][0-9]+[A-Z].*[0-9]")
_TIMESTAMP = re.compile(
    r"(?P<day>[0-9]{4}-[0-9]{2}-[0-9]{2})[Tt](?P<hour>[0-9]{2}):(?P<minute>[0-9]{2})"
    r"(?::(?P<second>[0-9]{2})(?:[.,](?P<fraction>[0-9]+))?)?"
    r"(?P<zone>[Zz]|[+\-][0-9]{2}(?::?[0-9]{2})?)?"
)
_LANGUAGE = re.compile(
    r"(?:(?:[a-z]{2,3}(?:-[a-z]{3}){0,3}|[a-z]{4}|[a-z]{5,8})"  # language
    r"(?:-[a-z]{4})?"  # script
    r"(?:-(?:[a-z]{2}|[0-9]{3}))?"  # region
    r"(?P<variants>(?:-(?:[a-z0-9]{5,8}|[0-9][a-z0-9]{3}))*)"
    r"(?P<extensions>(?:-[0-9a-wy-z](?:-[a-z0-9]{2,8})+)*)"
    r"(?:-x(?:-[a-z0-9]{1,8})+)?"
    r"|x(?:-[a-z0-9]{1,8})+)",
    re.IGNORECASE,
)
_GRANDFATHERED = {
    "en-gb-oed", "i-ami", "i-bnn", "i-default", "i-enochian", "i-hak", "i-klingon", "i-lux", "i-mingo", "i-navajo", "i-pwn",
    "i-tao", "i-tay", "i-tsu", "sgn-be-fr", "sgn-be-nl", "sgn-ch-de", "art-lojban", "cel-gaulish", "no-bok", "no-nyn",
    "zh-guoyu", "zh-hakka", "zh-min", "zh-min-nan", "zh-xiang",
}  # fmt: skip


def is_iri(text: str) -> bool:
    """An absolute IRI: with a scheme and something behind it, without blanks and other characters that IRIs cannot hold."""
    return _is_reference(_IRI, text)


def is_uri(text: str) -> bool:
    """The same in ASCII."""
    return _is_reference(_URI, text)


def is_irl(text: str) -> bool:
    """An IRI that says where something is."""
    found = _IRI.fullmatch(text)
    return found is not None and is_iri(text) and bool(found["authority"] or found["rest"] or found["path"])


def _is_reference(pattern: re.Pattern[str], text: str) -> bool:
    found = pattern.fullmatch(text)
    if found is None or len(text) == len(found["scheme"]) + 1:
        return False
    if found["scheme"].lower() in _WEB:
        return bool(found["host"])
    return bool(found["authority"] or found["path"] or found["rest"]) or "?" in text or "#" in text


def is_uuid(text: str) -> bool:
    """A UUID of whatever version, in its standard form."""
    return _UUID.fullmatch(text) is not None


def is_mailto(text: str) -> bool:
    """`mailto:` and one mail address."""
    return _MAILTO.fullmatch(text) is not None and ".." not in text and not re.search(r":\.|\.@", text)


def is_sha1(text: str) -> bool:
    """A SHA-1 digest in hexadecimal digits."""
    return _SHA1.fullmatch(text) is not None


def is_sha2(text: str) -> bool:
    """A SHA-2 digest in hexadecimal digits."""
    return _SHA2.fullmatch(text) is not None


def is_media_type(text: str) -> bool:
    """A media type, perhaps with parameters."""
    return _MEDIA_TYPE.fullmatch(text) is not None


def is_version(text: str) -> bool:
    """A version that begins with `1.0.`."""
    return _VERSION.fullmatch(text) is not None


def is_language(text: str) -> bool:
    """A well-formed language tag."""
    if text.lower() in _GRANDFATHERED:
        return True
    found = _LANGUAGE.fullmatch(text)
    if found is None or not text.isascii():
        return False
    variants = [each for each in (found["variants"] or "").lower().split("-") if each]
    singletons = re.findall(r"-([0-9a-wy-z])(?=-)", (found["extensions"] or "").lower())
    return len(set(variants)) == len(variants) and len(set(singletons)) == len(singletons)


def is_duration(text: str) -> bool:
    """A duration as ISO 8601 writes it with designators; weeks stand alone, and only the last number may have a fraction."""
    return _DURATION.fullmatch(text) is not None and _FRACTION_BEFORE_THE_END.search(text) is None


def moment(text: str) -> datetime | None:
    """The moment of a timestamp, in UTC where it names no zone; None when it is none.

    Refused are days and times that do not exist, 24:00, offsets that none has, and -00:00, which says that the zone is unknown.
    """
    found = _TIMESTAMP.fullmatch(text)
    if found is None or not text.isascii():
        return None
    zone = (found["zone"] or "Z").upper().replace(":", "")
    offset = timedelta(0)
    if zone != "Z":
        hours, minutes = int(zone[1:3]), int(zone[3:5] or 0)
        if hours > 23 or minutes > 59 or (zone[0] == "-" and hours == minutes == 0):
            return None
        offset = timedelta(hours=hours, minutes=minutes) * (-1 if zone[0] == "-" else 1)
    second = int(found["second"] or 0)
    leap = second == 60 and found["minute"] == "59"  # a leap second
    micro = int(((found["fraction"] or "") + "000000")[:6])
    try:
        day = datetime.fromisoformat(found["day"]).replace(tzinfo=UTC)
        whole = day.replace(
            hour=int(found["hour"]), minute=int(found["minute"]), second=59 if leap else second, microsecond=micro
        )
        return whole + timedelta(seconds=int(leap)) - offset
    except (ValueError, OverflowError):
        return None

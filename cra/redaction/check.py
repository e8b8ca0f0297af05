"""What a pattern cannot tell: check digits, and whether a text was drawn or written.

A check is given a text, where in it a match begins, and from where to where the candidate is. It
says where the secret ends, and nothing if there is none.
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from collections.abc import Callable
from typing import Final, TypeAlias

Check: TypeAlias = Callable[[bytes, int, int, int], int | None]

# What issuers of cards give out: the first digits and the length.
_CARD: Final = re.compile(
    rb"4\d{15}(?:\d{3})?"
    rb"|(?:5[1-5]\d\d|222[1-9]|22[3-9]\d|2[3-6]\d\d|27[01]\d|2720)\d{12}"
    rb"|3[47]\d{13}|(?:30[0-59]|3[689]\d)\d{11}(?:\d\d)?|35(?:2[89]|[3-8]\d)\d{12}"
    rb"|(?:6011|64[4-9]\d|65\d\d|62\d\d)\d{12,15}"
)
# Country and length of an account number: the registry of ISO 13616.
_IBANS: Final = """
AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28
EE20 EG29 ES24 FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HN28 HR21 HU28 IE22 IL23 IQ23 IS26
IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28
NL18 NO15 OM23 PK24 PL28 PS29 PT25 QA29 RO24 RS22 RU33 SA24 SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25
SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 YE30
"""
_IBAN_LENGTHS: Final = {one[:2].encode(): int(one[2:]) for one in _IBANS.split()}
_FILE_NAMES: Final = tuple(
    b".png .jpg .jpeg .gif .webp .svg .ico .js .ts .css .json .yaml .yml .py .md .html".split()
)

# A user, or a user and the beginning of a password.
_IN_URL: Final = re.compile(rb"/\\*/[^\s/@]*\Z")

# A text that was written is made of long runs that read as words; one that was drawn is not.
_RUN: Final = re.compile(rb"[A-Z]?[a-z]+|[A-Z]+|[0-9]+")
_SHORT_RUNS: Final = 2.6
_VOWEL: Final = re.compile(rb"[aeiouyAEIOUY]")
_SYMBOL: Final = re.compile(rb"[!#$%*^?@+~]")
_LETTER: Final = re.compile(rb"[A-Za-z]")
_LETTER_AND_DIGIT: Final = re.compile(rb"[A-Za-z].*[0-9]|[0-9].*[A-Za-z]")
_BETWEEN_WORDS: Final = b"-_./: "
_WORDY: Final = 0.62
# Where a name leaves little doubt; people choose words for passwords.
_WORDY_IF_NAMED: Final = 0.95
# What stands where a secret is to be filled in, and what says where it is to be found.
_PLACEHOLDER: Final = re.compile(
    rb"(?i)example|change_?-?me|your[-_ ]|placeholder|redacted|x{6}|\*{3}|\.{3}|:\\?/\\?/"
    rb"|^(?:[<{\[(]|@[\w.-]+$|%(?:[a-z(]|[A-Z_]+%)|\$[{(]|\$[a-z_]+$|arn:"
    rb"|(?:~|\.{1,2})/|/(?:run|etc|home|usr|var|opt|tmp|mnt)/)"
    # A name in code.
    rb"|^(?-i:[a-z]+(?:[._][a-z]+)+|[A-Z]+(?:_[A-Z]+)+)$"
)
_URL_PLACEHOLDERS: Final = frozenset(
    [b"pass", b"password", b"passwd", b"pwd", b"secret", b"token", b"key"]
)
# Names that only sound like a secret's: tokens that say where a listing goes on or which call is
# meant, the token of a public key, types of resources, and the names of secrets in a vault.
_NO_SECRET: Final = re.compile(
    rb"(?i)(?:next|page|continuation|cursor|sync|resume|starting|forward|backward|idempotency"
    rb"|request|lock|change|publickey)[_.-]*token"
    rb"|(?:::|secretsmanager:.*:)\w+[\s\"':=\\]*\Z"
)
# What follows a name that is no value but gets it: a call, an element.
_CODE: Final = (b"(", b"[")
# So many characters are looked at; what is longer and belongs to the name of a secret is one.
_LOOKED_AT: Final = 128


def is_drawn(data: bytes, _match: int, start: int, end: int) -> int | None:
    """A provider's key, unless it is an example or masked."""
    tail = data[max(start, end - 24) : end]
    return end if len(set(tail)) >= 8 and not tail.endswith(b"EXAMPLE") else None


def is_card(data: bytes, _match: int, start: int, end: int) -> int | None:
    number = data[start:end].translate(None, b" -")
    # Digits after a point are a fraction's.
    if data[max(0, start - 1) : start] == b"." or not _CARD.fullmatch(number):
        return None
    digits = [byte - 48 for byte in reversed(number)]
    total = sum(digits[::2]) + sum(2 * one - (9 if one > 4 else 0) for one in digits[1::2])
    return end if total % 10 == 0 else None


def is_iban(data: bytes, _match: int, start: int, end: int) -> int | None:
    """The candidate may hold the words that follow; the country says how long the number is."""
    left = _IBAN_LENGTHS.get(data[start : start + 2], 0)
    at = start
    while left and at < end:
        left -= data[at : at + 1].isalnum()
        at += 1
    if left or at == start or data[at : at + 1].isalnum():
        return None
    number = data[start:at].translate(None, b" -")
    spelled = "".join(str(int(chr(byte), 36)) for byte in number[4:] + number[:4])
    return at if int(spelled) % 97 == 1 else None


def is_apart(data: bytes, _match: int, start: int, end: int) -> int | None:
    """Digits that are no part of a longer number of several groups."""
    goes_on = data[end : end + 1] in (b"-", b".", b"/") and data[end + 1 : end + 2].isdigit()
    return None if goes_on or data[max(0, start - 1) : start] in (b"-", b".", b"/") else end


def is_phone(data: bytes, match: int, start: int, end: int) -> int | None:
    number = data[start:end]
    # One point is a decimal's.
    if not 7 <= sum(48 <= byte < 58 for byte in number) <= 15 or number.count(b".") == 1:
        return None
    goes_before = data[max(0, start - 2) : max(0, start - 1)].isdigit()
    return None if goes_before else is_apart(data, match, start, end)


def is_email(data: bytes, _match: int, start: int, end: int) -> int | None:
    is_in_url = _IN_URL.search(data[max(0, start - _LOOKED_AT) : start])
    # user@host:path is how git and scp name a place.
    is_place = data[end : end + 1] == b":" and data[end + 1 : end + 2].isalnum()
    is_file = data[start:end].lower().endswith(_FILE_NAMES)
    # In \\n@name, the letter is the escape's.
    is_escaped = data[max(0, start - 1) : start] == b"\\"
    return None if is_in_url or is_place or is_file or is_escaped else end


def is_url_password(data: bytes, _match: int, start: int, end: int) -> int | None:
    value = data[start : min(end, start + _LOOKED_AT)]
    return None if value.lower() in _URL_PLACEHOLDERS or _PLACEHOLDER.search(value) else end


def is_authorization(data: bytes, match: int, start: int, end: int) -> int | None:
    name, value = data[match:start].lower(), data[start:end]
    if b"basic" not in name:
        wordy = _WORDY_IF_NAMED if b"authorization" in name else _WORDY
        return end if data[end : end + 1] not in _CODE and _is_random(value, wordy) else None
    try:
        return end if b":" in b64decode(value + b"=" * (-len(value) % 4)) else None
    except binascii.Error:
        return None


def is_assigned(data: bytes, match: int, start: int, end: int) -> int | None:
    """A value beside the name of a secret, which the match begins with."""
    if data[end : end + 1] in _CODE or _NO_SECRET.search(data[max(0, match - 48) : start]):
        return None
    name, value = data[match:start].lower(), data[start:end]
    if not (b"pass" in name or b"pwd" in name):
        return end if _LETTER.search(value) and _is_random(value, _WORDY) else None
    if value.count(b"-") > 2:
        return end if _is_random(value, 1) else None
    return end if _is_random(value, _WORDY if value.isalpha() else _WORDY_IF_NAMED) else None


def _is_random(value: bytes, wordy: float) -> bool:
    if len(value) > _LOOKED_AT:
        return True
    if len(value) < 8 or len(set(value)) < 5 or _PLACEHOLDER.search(value):
        return False
    if _SYMBOL.search(value) and _LETTER_AND_DIGIT.search(value):
        return True
    runs = _RUN.findall(value)
    length = len(value.translate(None, _BETWEEN_WORDS))
    words = sum(len(run) for run in runs if len(run) > 2 and _VOWEL.search(run))
    return words <= wordy * length or (length >= 12 and length <= _SHORT_RUNS * len(runs))

"""The kinds of secrets, each with how it is spotted, told and checked: one table.

A pattern matches a text, the same text as a string of JSON, and that as a string of JSON again:
where a quotation mark, a slash or a space may stand, so may its escaped form. The first group that
matched is the secret. Patterns know ASCII alone; any other character is a `?` to them.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from cra.redaction.check import (
    Check,
    is_apart,
    is_assigned,
    is_authorization,
    is_card,
    is_drawn,
    is_email,
    is_iban,
    is_phone,
    is_url_password,
)


class Detector(NamedTuple):
    # Matches wherever the pattern does, or more often, and looks for all kinds at once are cheap.
    anchor: str
    pattern: str
    check: Check | None = None
    # Personal data, which only a rule asks for.
    on_request: bool = False


# What may stand before a key. An escape ends in a letter or a digit, which are the escape's.
_ESCAPE: Final = r"\\[bfnrt]|\\u[0-9A-Fa-f]{4}|%[0-9A-Fa-f]{2}"
_LEFT: Final = rf"(?:^|{_ESCAPE}|[^0-9A-Za-z_])"
_LEFT_OF_NUMBER: Final = rf"(?:^|{_ESCAPE}|[^0-9A-Za-z])"
_RIGHT: Final = r"(?:[^0-9A-Za-z_]|$)"
_QUOTE: Final = r"""\\*["'`]"""
_SPACE: Final = r"(?:\s|\\+[fnrt])"
_SLASH: Final = r"\\*/"

# The name of a secret, to its end.
_NAME: Final = (
    r"(?i:passw(?:or[dt])|passwd|passphrase|pwd|secret|token|api[_-]?key|access[_-]?key"
    r"|(?:secret|private|signing|encryption|master|auth)[_-]?key|credentials?|[_-]auth)"
    r"(?i:_base|_b64|_base64|_hex|_value|_?[0-9])?"
)
# What a member is called whose value is a secret.
MEMBER: Final = rf"(?:{_NAME}|(?i:authorization))"
# name = "value", name: value, ["name"] => 'value', <name>value, the name is value, --name value
_NAMED: Final = (
    rf"{_NAME}(?:(?:{_QUOTE})?\]?{_SPACE}{{0,4}}(?:=>|[:=]{{1,2}}|>){_SPACE}{{0,4}}"
    rf"|{_SPACE}is{_SPACE})|--[0-9A-Za-z-]{{0,40}}{_NAME} {{1,4}}"
)
_VALUE: Final = (
    r"""(?:\\*"((?:[^"\\\s]|\\+/){8,})\\*"|\\*'((?:[^'\\\s]|\\+/){8,})\\*'"""
    rf"""|(?:{_QUOTE})?((?:[^\s"'`,;<>(){{}}\[\]\\&|]|\\+/){{8,}}))"""
)
_AUTHORIZATION: Final = (
    rf"(?i:authorization)(?:{_QUOTE})?{_SPACE}{{0,4}}[:=]{_SPACE}{{0,4}}(?:{_QUOTE})?"
)
_CREDENTIAL: Final = r"([0-9A-Za-z._~+/-]{12,}={0,2})"


def _keys(*rows: str) -> Detector:
    """Keys that say themselves whose they are; a row has how one begins, and the rest."""
    begun, whole = [], []
    for row in rows:
        begin, rest = row.split(" ")
        begun.append(begin)
        whole.append(begin + rest)
    return Detector("|".join(begun), f"{_LEFT}({'|'.join(whole)}){_RIGHT}", is_drawn)


# In the order of how much a kind says: of two that find the same, the first is right.
KINDS: Final[dict[str, Detector]] = {
    "private_key": Detector(
        "PRIVATE KEY(?: BLOCK)?-----",
        # A block without an end is secret to the end of the text.
        r"(-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
        r"""(?:\\*[nrt]|[\s\\"'+,])+(?:[A-Z][0-9A-Za-z-]{1,30}: |[0-9A-Za-z+/=]{16})"""
        r"(?s:.*?)(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----|\z))",
    ),
    "aws_key": _keys(
        "(?:AKIA|ASIA|ABIA|ACCA|A3T[0-9A-Z]) [A-Z2-7]{16}", "ABSK [0-9A-Za-z+/]{100,280}=*"
    ),
    "google_key": _keys(r"AIza [\w-]{35}", r"GOCSPX- [\w-]{28}", r"ya29\. [\w-]{40,}"),
    "azure_key": Detector(
        r"[78]Q~|\+AStT?|(?:AccountKey|SharedAccessKey)=|[?&]sig=",
        rf"{_LEFT}([\w~.-]{{3}}[78]Q~[\w~.-]{{31,34}}){_RIGHT}"
        r"|([0-9A-Za-z+/]{76}\+AStT?[0-9A-Za-z+/]{5,6}==)"
        r"|(?:AccountKey|SharedAccessKey)=([0-9A-Za-z+/]{43,86}={1,2})"
        r"|[?&]sig=([0-9A-Za-z%]{43,80})",
        is_drawn,
    ),
    "github_token": _keys(
        "gh[oprsu]_ [0-9A-Za-z]{36,251}", "github_pat_ [0-9A-Za-z]{22}_[0-9A-Za-z]{59}"
    ),
    "gitlab_token": _keys(
        r"gl(?:pat|ptt|dt|rt|cbt|ft|soat|imt|agent|oas|rtr)- [\w-]{20,300}(?:\.[0-9a-z]{9})?"
    ),
    "slack_token": _keys(
        r"xox[abdeoprs][.-] (?:xox[bp]-)?[0-9]{1,14}-[0-9A-Za-z-]{16,250}",
        "xapp- [0-9]-[0-9A-Z]+-[0-9]+-[0-9a-f]{64}",
        rf"https:{_SLASH}{_SLASH}hooks\.slack\.com "
        rf"{_SLASH}(?:services|workflows|triggers)(?:{_SLASH}\w+){{2,5}}",
    ),
    "stripe_key": _keys(
        "[rs]k_(?:live|test)_ [0-9A-Za-z]{10,250}", "whsec_ [0-9A-Za-z+/]{32,250}=*"
    ),
    "openai_key": Detector(
        "T3BlbkFJ", rf"{_LEFT}(sk-[\w-]{{20,200}}T3BlbkFJ[\w-]{{20,200}})", is_drawn
    ),
    "anthropic_key": _keys(r"sk-ant- [a-z]{3,8}[0-9]{2}-[\w-]{80,250}"),
    "huggingface_token": _keys("(?:hf_|api_org_)[0-9A-Za-z]{8} [0-9A-Za-z]{26}"),
    "provider_token": _keys(
        "sk-or-v1- [0-9a-f]{64}",
        "sk-[0-9A-Za-z]{16} [0-9A-Za-z]{16,48}",
        "gsk_ [0-9A-Za-z]{48,60}",
        "xai- [0-9A-Za-z]{70,90}",
        "pplx- [0-9A-Za-z]{40,60}",
        "r8_[0-9A-Za-z]{8} [0-9A-Za-z]{29,32}",
        r"nvapi- [\w-]{60,70}",
        "lsv2_(?:pt|sk)_ [0-9a-f]{32}_[0-9a-f]{10}",
        "tvly- (?:dev-|prod-)?[0-9A-Za-z]{32}",
        r"pcsk_ \w{50,80}",
        "npm_[0-9A-Za-z]{8} [0-9A-Za-z]{28}",
        r"pypi-AgE [\w-]{60,500}",
        "rubygems_ [0-9a-f]{48}",
        r"dckr_[op]at_ [\w-]{27,32}",
        r"SG\.[\w-]{8} [\w-]{14}\.[\w-]{43}",
        "key-[0-9a-f]{8} [0-9a-f]{24}",
        "[0-9a-f]{32}-us [0-9]{1,2}",
        r"[0-9]{8,10}:AA [\w-]{33}",
        "do[opr]_v1_ [0-9a-f]{64}",
        "dapi[0-9a-f]{8} [0-9a-f]{24}(?:-[0-9])?",
        r"hv[brs]\.[\w-]{8} [\w-]{16,250}",
        r"dp\.(?:pt|st|ct|sa|scim|audit)\. (?:[\w-]{1,40}\.)?[0-9A-Za-z]{40,44}",
        "pul- [0-9a-f]{40}",
        r"pscale_(?:tkn|pw|oauth)_ [\w-]{32,64}",
        r"sb[ps]_(?:secret_)? [\w-]{30,40}",
        "shp(?:at|ca|pa|ss)_ [0-9A-Fa-f]{32}",
        r"sq0(?:atp|csp)- [\w-]{22,43}",
        "lin_api_ [0-9A-Za-z]{40}",
        "ntn_ [0-9A-Za-z]{46}",
        r"figd_ [\w-]{40,44}",
        r"ATATT3 [\w=-]{100,200}",
        "PMAK- [0-9a-f]{24}-[0-9a-f]{34}",
        "gls?[ac]_[0-9A-Za-z]{8} [0-9A-Za-z]{24}(?:_[0-9a-f]{8}|[0-9A-Za-z+/]{0,250}={0,2})",
        "NRAK- [0-9A-Z]{27}",
        r"sntry[su]_ [\w+/=-]{40,250}",
        "AGE-SECRET-KEY-1 [0-9A-Z]{58}",
    ),
    "jwt": Detector(
        r"eyJ[\w-]{8}",
        # Signed, or encrypted.
        rf"{_LEFT}(eyJ[\w-]{{8,}}\.(?:eyJ[\w-]{{8,}}\.[\w-]*"
        r"|[\w-]*\.[\w-]{8,}\.[\w-]{8,}\.[\w-]{8,}))",
    ),
    "authorization": Detector(
        rf"{_AUTHORIZATION}|(?i:bearer|basic) ",
        rf"{_LEFT_OF_NUMBER}{_AUTHORIZATION}(?:[A-Za-z][0-9A-Za-z-]{{2,20}} +)?{_CREDENTIAL}"
        rf"|{_LEFT}(?i:bearer|basic) +{_CREDENTIAL}",
        is_authorization,
    ),
    "url_password": Detector(
        rf""":{_SLASH}{_SLASH}[^\s/@"<>]*@""",
        rf"""[A-Za-z][0-9A-Za-z+.-]{{1,30}}:{_SLASH}{_SLASH}[^\s/:@"'<>\\]{{0,200}}:"""
        r"""([^\s/@"'<>\\]{3,})@""",
        is_url_password,
    ),
    "card": Detector(
        "[2-6](?:[0-9]{13}|[0-9]{3}[ -][0-9]{4,6}[ -][0-9]{4})",
        rf"{_LEFT_OF_NUMBER}([2-6](?:[0-9]{{13,18}}|[0-9]{{3}} (?:[0-9]{{4}} ){{2}}[0-9]{{4}}"
        r"|[0-9]{3}-(?:[0-9]{4}-){2}[0-9]{4}|[0-9]{3}[ -][0-9]{6}[ -][0-9]{4,5}))"
        r"(?:[^0-9A-Za-z]|$)",
        is_card,
    ),
    "assignment": Detector(
        rf'{_NAMED}|{MEMBER}"(?:[:,]["\[]|[}}\]])', f"(?:{_NAMED}){_VALUE}", is_assigned
    ),
    "iban": Detector(
        "[A-Z]{2}[0-9]{2}[ -]?(?:[0-9A-Z]{4}[ -]?){2}",
        rf"{_LEFT}([A-Z]{{2}}[0-9]{{2}}(?:[ -]?[0-9A-Z]){{11,34}})",
        is_iban,
        on_request=True,
    ),
    "ssn": Detector(
        "[0-9]{3}[ -][0-9]{2}[ -][0-9]{4}",
        rf"{_LEFT_OF_NUMBER}((?:00[1-9]|0[1-9][0-9]|[1-578][0-9]{{2}}|6[0-57-9][0-9]|66[0-57-9])"
        r"(?:-(?:0[1-9]|[1-9][0-9])-| (?:0[1-9]|[1-9][0-9]) )"
        r"(?:000[1-9]|00[1-9][0-9]|0[1-9][0-9]{2}|[1-9][0-9]{3}))(?:[^0-9A-Za-z]|$)",
        is_apart,
        on_request=True,
    ),
    "email": Detector(
        "[0-9A-Za-z_]@[0-9A-Za-z]",
        rf"{_LEFT}([0-9A-Za-z_](?:[0-9A-Za-z._%+'-]{{0,62}}[0-9A-Za-z_])?"
        r"@(?:[0-9A-Za-z](?:[0-9A-Za-z-]{0,61}[0-9A-Za-z])?\.){1,8}[A-Za-z]{2,24})",
        is_email,
        on_request=True,
    ),
    "phone": Detector(
        r"\+[1-9](?:[ ./()-]{0,2}[0-9]){6}|00[1-9][0-9]{0,2}[ /-]"
        r"|[2-9][0-9]{2}[).-] ?[2-9][0-9]{2}[.-][0-9]{4}"
        r"|(?i:tel|phone|telefon|mobil|fax|call|cell|sms)[a-z]{0,6}[^0-9a-z]{1,2}[^0-9]{0,12}0[0-9]",
        rf"{_LEFT_OF_NUMBER}(?:(\+[1-9](?:[ ./()-]{{0,2}}[0-9]){{6,14}})"
        r"|(00[1-9][0-9]{0,2}[ /-](?:[ ./()-]{0,2}[0-9]){5,12})"
        r"|((?:1[ .-])?(?:\([2-9][0-9]{2}\) ?|[2-9][0-9]{2}[.-])[2-9][0-9]{2}[.-][0-9]{4})"
        rf"|(?i:tel|phone|telefon|mobil|fax|call|cell|sms)[a-z]{{0,6}}(?:[.:\s]|{_QUOTE}){{1,6}}"
        r"(0[0-9](?:[ ./()-]{0,2}[0-9]){5,12}))(?:[^0-9A-Za-z]|$)",
        is_phone,
        on_request=True,
    ),
}

BY_DEFAULT: Final = tuple(kind for kind, one in KINDS.items() if not one.on_request)

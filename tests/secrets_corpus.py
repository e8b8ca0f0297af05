"""Secrets and what only looks like them, put together when they are asked for: none is stored here.

Secrets follow the formats that their issuers publish, and stand in text as they do in logs, files
and requests. The corpus was written before the detectors; a detector that misses something is no
reason to take it out.
"""

# ruff: noqa: E501 - a row of a table is a line

from __future__ import annotations

import json
from base64 import b64encode, urlsafe_b64encode
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from random import Random
from string import ascii_letters, ascii_lowercase, ascii_uppercase, digits
from typing import Final, NamedTuple, TypeAlias

SEEDS: Final = (1, 2, 3)

BASE62: Final = ascii_letters + digits
URLSAFE: Final = BASE62 + "_-"
BASE64: Final = BASE62 + "+/"
BASE32: Final = ascii_uppercase + "234567"
HEX: Final = digits + "abcdef"

Make: TypeAlias = Callable[[Random], str]


class Sample(NamedTuple):
    """A text, and the secret in it; a look-alike has none, and `kind` says what it looks like."""

    kind: str
    text: str
    secret: str | None


def some(random: Random, alphabet: str, least: int, most: int | None = None) -> str:
    return "".join(random.choices(alphabet, k=random.randint(least, most or least)))


def token(prefix: str, alphabet: str, least: int, most: int | None = None, end: str = "") -> Make:
    return lambda random: prefix + some(random, alphabet, least, most) + end


def parts(*makes: Make | str) -> Make:
    return lambda random: "".join(one if isinstance(one, str) else one(random) for one in makes)


# Secrets that say themselves what they are, by kind.


def json_web_token(random: Random) -> str:
    algorithm = random.choice(("HS256", "RS256", "ES256", "EdDSA"))
    header = {"alg": algorithm, "typ": "JWT"} | random.choice(({}, {"kid": some(random, HEX, 8)}))
    claims = {"sub": some(random, digits, 6, 10), "iat": random.randrange(10**9, 2 * 10**9)}
    if random.random() < 0.5:
        claims |= {"scope": "read write", "iss": "https://issuer.example.com/"}
    signature = random.randbytes(random.choice((32, 64, 256)))
    texts = (json.dumps(one, separators=(",", ":")).encode() for one in (header, claims))
    return ".".join(urlsafe_b64encode(one).decode().rstrip("=") for one in (*texts, signature))


def encrypted_web_token(random: Random) -> str:
    header = json.dumps({"alg": "RSA-OAEP", "enc": "A256GCM"}, separators=(",", ":")).encode()
    sizes = (256, 12, random.randint(40, 200), 16)
    texts = (header, *(random.randbytes(size) for size in sizes))
    return ".".join(urlsafe_b64encode(one).decode().rstrip("=") for one in texts)


def private_key(random: Random) -> str:
    label = random.choice(("RSA ", "EC ", "", "OPENSSH ", "DSA ", "ENCRYPTED ", "PGP "))
    end = "PRIVATE KEY BLOCK" if label == "PGP " else "PRIVATE KEY"
    text = b64encode(random.randbytes(random.randint(90, 1200))).decode()
    width = 70 if label == "OPENSSH " else 64
    lines = [text[at : at + width] for at in range(0, len(text), width)]
    if label == "PGP ":
        lines = ["Version: GnuPG v2", "", *lines, "=" + some(random, BASE64, 4)]
    elif label == "RSA " and random.random() < 0.5:
        info = "AES-256-CBC," + some(random, HEX.upper(), 32)
        lines = ["Proc-Type: 4,ENCRYPTED", "DEK-Info: " + info, "", *lines]
    break_ = random.choice(("\n", "\n", "\r\n"))
    dashes = "-" * 5
    begin, close = (f"{dashes}{word} {label}{end}{dashes}" for word in ("BEGIN", "END"))
    return break_.join((begin, *lines, close))


def luhn_digit(body: str) -> str:
    total = 0
    for at, digit in enumerate(reversed(body)):
        value = int(digit) * (1 if at % 2 else 2)
        total += value - 9 if value > 9 else value
    return str(-total % 10)


CARDS: Final = (
    ("4", 16), ("4", 16), ("4", 19), ("51", 16), ("55", 16), ("2221", 16), ("2720", 16), ("34", 15),
    ("37", 15), ("6011", 16), ("65", 16), ("644", 16), ("36", 14), ("300", 14), ("38", 14),
    ("3528", 16), ("3589", 16), ("62", 16), ("62", 19),
)  # fmt: skip
GROUPS: Final = {14: (4, 6, 4), 15: (4, 6, 5), 16: (4, 4, 4, 4)}


def card(random: Random) -> str:
    prefix, length = random.choice(CARDS)
    body = prefix + some(random, digits, length - len(prefix) - 1)
    return grouped(body + luhn_digit(body), random.choice(("", "", " ", "-")))


def grouped(number: str, separator: str) -> str:
    groups, at = [], 0
    for size in GROUPS.get(len(number), (len(number),)):
        groups.append(number[at : at + size])
        at += size
    return separator.join(groups)


# The structure of an account number behind the check digits: n digits, a capitals, c either.
IBANS: Final = """
DE n18; GB a4 n14; FR n10 c11 n2; ES n20; IT a1 n10 c12; NL a4 n10; BE n12; CH n5 c12; AT n16; PL n24
SE n20; NO n11; DK n14; FI n14; IE a4 n14; PT n21; CZ n20; GR n7 c16; MT a4 n5 c18; SA n2 c18; TR n5 n1 c16
"""


def iban(random: Random) -> str:
    country, *fields = random.choice(IBANS.replace("\n", ";").strip(";").split(";")).split()
    alphabets = {"n": digits, "a": ascii_uppercase, "c": digits + ascii_uppercase}
    body = "".join(some(random, alphabets[field[0]], int(field[1:])) for field in fields)
    number = country + iban_digits(country, body) + body
    if random.random() < 0.5:
        return number
    return " ".join(number[at : at + 4] for at in range(0, len(number), 4))


def iban_digits(country: str, body: str) -> str:
    spelled = "".join(str(int(letter, 36)) for letter in body + country + "00")
    return f"{98 - int(spelled) % 97:02}"


def social_security(random: Random) -> str:
    area = random.choice((random.randint(1, 665), random.randint(667, 899)))
    separator = random.choice("-- ")
    return separator.join(
        (f"{area:03}", f"{random.randint(1, 99):02}", f"{random.randint(1, 9999):04}")
    )


PEOPLE: Final = (
    "anna",
    "j.smith",
    "maria_lopez",
    "o'brien",
    "li.wei+news",
    "x",
    "first.last.third",
    "42nd-street",
    "hr%team",
)
HOSTS: Final = (
    "example.com",
    "mail.example.org",
    "uni-example.ac.uk",
    "example.museum",
    "a.b.c.example.net",
    "xn--bcher-kva.example",
    "example.io",
)


def email(random: Random) -> str:
    address = f"{random.choice(PEOPLE)}@{random.choice(HOSTS)}"
    return random.choice((address, address, address.upper(), address.title()))


# N: 2 to 9, d: any digit.
PHONES: Final = """
+1NddNdddddd; +1 Ndd Ndd dddd; +1-Ndd-Ndd-dddd; +1 (Ndd) Ndd-dddd; (Ndd) Ndd-dddd; Ndd-Ndd-dddd; Ndd.Ndd.dddd; 1-Ndd-Ndd-dddd
+49NNdddddddd; +49 NN ddddddd; +49 (0)NN dddddddd; +49 Ndd/dddddd; +44 20 dddd dddd; +44 7ddd dddddd; +33 6 dd dd dd dd
+33Ndddddddd; +8190dddddddd; +86 138 dddd dddd; +41 44 ddd dd dd; +39 06 dddddddd; +55 11 9dddd-dddd; +91 9dddd ddddd
+61 4dd ddd ddd; 0049 NN ddddddd; 0044 20 dddd dddd; +358 40 ddddddd; +353 1 ddd dddd; +972-5d-ddd-dddd
tel. 030 dddddddd; Phone: 020 7ddd dddd; mobile 06 dd dd dd dd; Fax: 089/ddddddd; Call 0171 ddddddd
"""


def phone(random: Random) -> tuple[str, str]:
    """A number, and what stands before a national one."""
    shape = random.choice(PHONES.replace("\n", ";").strip(";").split(";")).strip()
    alphabets = {"N": digits[2:], "d": digits}
    label, _, rest = (
        shape.partition(" ") if shape[0] in ascii_letters.replace("N", "") else ("", "", shape)
    )
    text = "".join(random.choice(alphabets[one]) if one in alphabets else one for one in rest)
    return text, f"{label} " if label else ""


def slack_token(random: Random) -> str:
    def number() -> str:
        return some(random, digits, 11, 13)

    first = random.choice("bpaer")
    if first == "p":
        return f"xox{first}-{number()}-{number()}-{number()}-{some(random, HEX, 32)}"
    return f"xox{first}-{number()}-{number()}-{some(random, BASE62, 24)}"


KEYS: Final[dict[str, tuple[Make, ...]]] = {
    "aws_key": (
        token("AKIA", BASE32, 16),
        token("ASIA", BASE32, 16),
        token("ABSK", BASE64, 128, end="=="),
    ),
    "google_key": (
        token("AIza", URLSAFE, 35),
        token("GOCSPX-", URLSAFE, 28),
        token("ya29.", URLSAFE, 120, 200),
    ),
    "azure_key": (
        parts(token("", BASE62, 3), "8Q~", token("", URLSAFE + ".", 33), token("", BASE62, 1)),
        parts(token("", BASE64, 76), "+AS", "t", token("", BASE64, 6), "=="),
    ),
    "github_token": (
        token("ghp_", BASE62, 36),
        token("gho_", BASE62, 36),
        token("ghs_", BASE62, 36),
        token("ghr_", BASE62, 76),
        parts("github_pat_", token("", BASE62, 22), "_", token("", BASE62, 59)),
    ),
    "gitlab_token": (
        token("glpat-", URLSAFE, 20),
        token("glptt-", HEX, 40),
        token("glrt-", URLSAFE, 20),
        token("gldt-", URLSAFE, 20),
    ),
    "slack_token": (
        slack_token,
        parts("xapp-1-", token("A", ascii_uppercase + digits, 10), "-", token("", digits, 13), "-", token("", HEX, 64)),
        parts("https://hooks.slack.com/services/", token("T", ascii_uppercase + digits, 10), token("/B", ascii_uppercase + digits, 10), "/", token("", BASE62, 24)),
    ),
    "stripe_key": (
        token("sk_live_", BASE62, 24, 99),
        token("rk_live_", BASE62, 24, 99),
        token("sk_test_", BASE62, 24, 99),
        token("whsec_", BASE62, 32),
    ),
    "openai_key": (
        parts("sk-", token("", BASE62, 20), "T3Blbk", "FJ", token("", BASE62, 20)),
        parts("sk-proj-", token("", URLSAFE, 74), "T3Blbk", "FJ", token("", URLSAFE, 74)),
        parts("sk-svcacct-", token("", URLSAFE, 58), "T3Blbk", "FJ", token("", URLSAFE, 58)),
        parts("sk-admin-", token("", URLSAFE, 58), "T3Blbk", "FJ", token("", URLSAFE, 58)),
    ),
    "anthropic_key": (
        token("sk-ant-api03-", URLSAFE, 93, end="AA"),
        token("sk-ant-admin01-", URLSAFE, 93, end="AA"),
        token("sk-ant-oat01-", URLSAFE, 93, end="AA"),
    ),
    "huggingface_token": (token("hf_", ascii_letters, 34), token("hf_", BASE62, 34)),
    "provider_token": (
        token("npm_", BASE62, 36),
        token("pypi-AgEIcHlwaS5vcmc", URLSAFE, 120, 180),
        parts("SG.", token("", URLSAFE, 22), ".", token("", URLSAFE, 43)),
        token("dop_v1_", HEX, 64),
        token("shpat_", HEX, 32),
        token("gsk_", BASE62, 52),
        token("xai-", BASE62, 80),
        token("pplx-", BASE62, 48),
        token("r8_", BASE62, 37),
        token("nvapi-", URLSAFE, 64),
        token("sk-or-v1-", HEX, 64),
        parts("lsv2_pt_", token("", HEX, 32), "_", token("", HEX, 10)),
        token("tvly-dev-", BASE62, 32),
        token("pcsk_", BASE62, 64),
        token("dapi", HEX, 32),
        token("hvs.", URLSAFE, 95),
        token("dp.pt.", BASE62, 43),
        token("lin_api_", BASE62, 40),
        token("ntn_", BASE62, 46),
        parts("PMAK-", token("", HEX, 24), "-", token("", HEX, 34)),
        parts("glsa_", token("", BASE62, 32), "_", token("", HEX, 8)),
        token("NRAK-", ascii_uppercase + digits, 27),
        token("dckr_pat_", URLSAFE, 27),
        token("rubygems_", HEX, 48),
        token("pul-", HEX, 40),
        token("sbp_", HEX, 40),
        token("sq0atp-", URLSAFE, 22),
        token("ATATT3", URLSAFE, 186),
        parts(token("", digits[1:], 1), token("", digits, 9), ":AA", token("", URLSAFE, 33)),
        token("AGE-SECRET-KEY-1", "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L", 58),
        token("figd_", URLSAFE, 40),
        parts("pscale_tkn_", token("", URLSAFE, 43)),
        parts(token("key-", HEX, 32)),
        parts(token("", HEX, 32), "-us", token("", digits[1:], 1)),
    ),
    "jwt": (json_web_token, json_web_token, encrypted_web_token),
    "card": (card,),
    "iban": (iban,),
    "ssn": (social_security,),
    "email": (email,),
}  # fmt: skip

CARRIERS: Final = (
    "{}", "{}\n", "the value is {}, do not share it", "({})", "VALUE={}", 'value: "{}"', "'{}'", '{{"value": "{}"}}',
    '{{\\"value\\": \\"{}\\"}}', "line one\n{}\nline three", "first\\n{}\\nsecond", "curl -H 'X-Value: {}' https://api.example.com/v1",
    "https://api.example.com/v1?value={}&page=2", "<value>{}</value>", "| name | {} |", "it was set to {}.", "a,{},b", "values[{}]",
    "Wert für Zürich: {} ist geheim", "{}; since Monday", "\t{}\t2024-01-02", "`{}`", "value = {}  # until May", "“{}”",
)  # fmt: skip

# Secrets that are only told by what stands around them: carriers whose {} is the secret.

ASSIGNMENTS: Final = (
    "password={}", "PASSWORD={}\nUSER=app", "DB_PASSWORD='{}'", 'db_password: "{}"', "secret: {}", "client_secret={}&grant_type=client_credentials",
    '{{"client_secret": "{}", "client_id": "app"}}', '{{\\"password\\":\\"{}\\"}}', "export API_KEY={}", 'api_key = "{}"', "apiKey: '{}',",
    "X-Api-Key: {}", "X-Auth-Token: {}", "aws_secret_access_key = {}", "AWS_SESSION_TOKEN={}", "?api_key={}&page=2", "access_token={}",
    '"accessToken": "{}"', "auth_token => '{}'", "SECRET_KEY_BASE={}", "--password {}", "--token={}", "<password>{}</password>", "passwd: {}",
    'config.encryption_key = "{}"', "refresh_token:{}", "//registry.example.com/:_authToken={}", "signing-secret: {}", "private_token={}",
    "SecretAccessKey: {}", "password: {}\n  user: app", "Passwort: {}", "the password is {}", "pwd={};", "credentials = '{}'", "webhookSecret=\"{}\"",
)  # fmt: skip
VALUES: Final[tuple[Make, ...]] = (
    token("", BASE62, 12, 40),
    token("", BASE62, 20, 32),
    token("", HEX, 32),
    token("", HEX, 40, 64),
    token("", BASE64, 40),
    token("", BASE64, 43, end="="),
    token("", URLSAFE, 32, 48),
    token("", BASE62 + "!@#%^*_+.?", 12, 24),
    token("", BASE62 + "!#%*", 8, 12),
    parts(token("", HEX, 8), "-", token("", HEX, 4), token("-4", HEX, 3), token("-a", HEX, 3), "-", token("", HEX, 12)),
    # Chosen by people.
    parts(lambda random: random.choice(("Summer", "Winter", "Welcome", "Dragon", "Berlin")), token("", digits, 2, 4), token("", "!?#*", 1, 2)),
    parts(lambda random: random.choice(("p4ssw0rd", "l3tm31n", "s3cr3t", "h4ckm3")), token("", digits, 2, 4)),
    lambda random: "-".join(random.sample(("correct", "horse", "battery", "staple", "violet", "anchor"), 4)),
)  # fmt: skip

AUTHORIZATIONS: Final[tuple[tuple[str, Make], ...]] = (
    ("Authorization: Bearer {}", token("", URLSAFE, 24, 64)),
    ('"Authorization": "Bearer {}"', token("", BASE62, 32)),
    ("curl -H 'Authorization: Bearer {}' https://api.example.com", token("", HEX, 40)),
    ("authorization: bearer {}\r\naccept: */*", token("", BASE64, 44, end="==")),
    ('{{\\"Authorization\\": \\"Bearer {}\\"}}', token("", URLSAFE, 40)),
    ("Authorization: Basic {}", lambda random: b64encode(f"user{random.randrange(99)}:{some(random, BASE62, 8, 20)}".encode()).decode()),
    ("-H 'authorization: Basic {}'", lambda random: b64encode(f"api:{some(random, HEX, 32)}".encode()).decode()),
    ("Authorization: token {}", token("", HEX, 40)),
    ("Proxy-Authorization: Basic {}", lambda random: b64encode(f"proxy:{some(random, URLSAFE, 12)}".encode()).decode()),
    ("Authorization: ApiKey {}", token("", BASE62, 40)),
    ("Bearer {}", token("", URLSAFE + ".", 40, 80)),
)  # fmt: skip

URLS: Final = (
    "postgres://app:{}@db.example.com:5432/app", "DATABASE_URL=mysql://root:{}@127.0.0.1/shop", "https://deploy:{}@git.example.com/team/repo.git",
    "redis://:{}@cache.example.com:6379/0", "mongodb+srv://admin:{}@cluster0.example.net/test?w=majority", "amqp://guest:{}@mq.example.com//",
    '{{"url": "https://u:{}@example.com/"}}', "https:\\/\\/u:{}@example.com\\/", "smtp://mailer%40example.com:{}@smtp.example.com:587",
    "fetching ftp://anonymous:{}@ftp.example.org/pub now", "see <https://me:{}@example.com>", "jdbc:postgresql://app:{}@db.example.com/x",
)  # fmt: skip
URL_PASSWORDS: Final[tuple[Make, ...]] = (
    token("", BASE62, 8, 24),
    token("", HEX, 32),
    token("", BASE62 + "!$*+.~_-", 10, 20),
    parts(token("", BASE62, 6, 10), "%40", token("", BASE62, 3)),
    token("", ascii_lowercase, 9, 12),
)

# What is no secret. A kind, and the texts that look like one of it.

WORDS: Final = (
    "user",
    "order",
    "render",
    "cache",
    "request",
    "widget",
    "parse",
    "fetch",
    "team",
    "report",
    "layout",
    "stream",
    "index",
    "panel",
)


def words(count: int, separator: str = "_") -> Make:
    return lambda random: separator.join(random.sample(WORDS, count))


def uuid(random: Random) -> str:
    text = some(random, HEX, 32)
    text = text[:12] + random.choice("47") + text[13:16] + random.choice("89ab") + text[17:]
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def no_card(random: Random) -> str:
    """A number like a card's whose check digit is wrong."""
    number = card(random)
    return number[:-1] + str((int(number[-1]) + random.randint(1, 9)) % 10)


def other_number(prefix: str, length: int) -> Make:
    """A number with a right check digit that no issuer of cards gives out."""

    def make(random: Random) -> str:
        body = prefix + some(random, digits, length - len(prefix) - 1)
        return body + luhn_digit(body)

    return make


def no_iban(random: Random) -> str:
    number = iban(random)
    at = random.randrange(5, len(number))
    while not number[at].isdigit():
        at = random.randrange(5, len(number))
    changed = str((int(number[at]) + random.randint(1, 9)) % 10)
    return number[:at] + changed + number[at + 1 :]


def foreign_iban(random: Random) -> str:
    """Right but for the country, which has none."""
    body = some(random, digits, 18)
    return "XX" + iban_digits("XX", body) + body


def masked(kind: str) -> Make:
    def make(random: Random) -> str:
        text = random.choice(KEYS[kind])(random)
        return text[: random.choice((4, 7, 8))] + random.choice(
            ("…", "...", "x" * 24, "*" * 20, "<key>")
        )

    return make


def public_block(random: Random) -> str:
    label = random.choice(
        ("CERTIFICATE", "PUBLIC KEY", "RSA PUBLIC KEY", "CERTIFICATE REQUEST", "PGP SIGNATURE")
    )
    text = b64encode(random.randbytes(300)).decode()
    lines = "\n".join(text[at : at + 64] for at in range(0, len(text), 64))
    dashes = "-" * 5
    return f"{dashes}BEGIN {label}{dashes}\n{lines}\n{dashes}END {label}{dashes}"


def coded(data: Make | int, prefix: str = "") -> Make:
    def make(random: Random) -> str:
        raw = random.randbytes(data) if isinstance(data, int) else data(random).encode()
        return prefix + b64encode(raw).decode()

    return make


def said(*texts: str) -> Make:
    return lambda random: random.choice(texts)


# A row: what it looks like, how many, and how it is made.
LOOKALIKES: Final[tuple[tuple[str, int, Make], ...]] = (
    ("assignment", 8, uuid),
    ("assignment", 8, parts('{"id": "', uuid, '", "digest": "', token("", HEX, 64), '"}')),
    ("assignment", 6, parts("commit ", token("", HEX, 40))),
    ("assignment", 4, parts("sha256:", token("", HEX, 64))),
    ("assignment", 4, parts('"integrity": "sha512-', token("", BASE64, 86), '=="')),
    ("assignment", 4, coded(400, "data:image/png;base64,")),
    ("assignment", 4, coded(words(6, " "))),
    ("assignment", 4, parts("etag: W/\"", token("", HEX, 32), '"')),
    ("assignment", 4, parts("ssh-ed25519 AAAA", token("", BASE64, 64), " user@host")),
    ("assignment", 6, parts('"nextPageToken": "', token("", URLSAFE, 40), '"')),
    ("assignment", 3, parts("continuation_token=", token("", BASE62, 32))),
    ("assignment", 4, parts("idempotency_key: ", uuid)),
    ("assignment", 4, parts("cache_key=", token("", HEX, 32))),
    ("assignment", 3, parts("public_key: ", token("", BASE64, 43, end="="))),
    ("assignment", 3, parts("secret_id: ", uuid)),
    ("assignment", 3, parts("token_count: ", token("", digits[1:], 9, 12))),
    ("assignment", 4, parts("password = ", words(2), "(", words(1), ")")),
    ("assignment", 4, parts("token = self.", words(2), ".", words(2))),
    ("assignment", 4, parts("secret: ", words(3, "-"))),
    ("assignment", 3, parts("api_key: ", words(2), "_v2")),
    ("assignment", 3, parts("secret=/run/secrets/", words(2))),
    ("assignment", 3, parts("private_key: ./keys/", words(2), ".pem")),
    ("assignment", 3, parts("api_key=https://docs.example.com/", words(2, "-"))),
    ("assignment", 30, said(
        'password = getpass.getpass("Password: ")', 'token = os.environ["SERVICE_TOKEN"]', "api_key: str | None = None", "password: ${DB_PASSWORD}",
        "token: ${{ secrets.NPM_TOKEN }}", "secret = <your-secret-here>", "API_KEY=your_api_key_here", "password=changeme", "PASSWORD=**********",
        'api_key = "xxxxxxxxxxxxxxxxxxxxxxxx"', "max_tokens: 4096000000", '"token_estimate": 1200', 'tokenizer: "cl100k_base_v2"',
        "password: must be at least 12 characters", '{"password": {"type": "string", "minLength": 12}}', "secretKeyRef:\n  name: db-credentials",
        "const token = await getToken(request);", "process.env.API_KEY_V2", "apiKey: process.env.STRIPE_KEY_V2", "password=$(cat /run/secrets/db_password)",
        "secretName: tls-wildcard-2024", "token_type: Bearer", "tokens = tokenize(text)", "if (password !== confirmPassword) return;",
        "secret_version: projects/1/secrets/db/versions/3", "SecretArn: arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-AbCdEf",
        '"password": "%s"', "passwordPolicy: strongPassword2", "token: {{ .Values.token }}", "password: [REDACTED]", "pwd=/home/user1/project2",
        "token = <eof>", "secret santa: 24 December", "--password-file=/etc/app/pw1.txt", "the token expires: 2026-01-02T03:04:05Z", 'api_key="insert-key-1-here"',
    )),
    ("provider_token", 6, parts("/usr/lib/", words(2, "/"), "/", words(3, "-"), ".so.1.2.3")),
    ("provider_token", 6, parts(words(3, "."), "::", words(4))),
    ("provider_token", 8, said(
        "sk-fading-circle sk-circle10", "pip install scikit-learn sk-video", "npm_config_registry", "npm_lifecycle_event=postinstall", "hf_hub_download(repo_id)",
        "xai-org/grok-1", "pul-request", "key-value-store", "dapi_client", "SG.example.com", "r8_precision", "figd_export", "gsk_threads_per_block",
        "the ghp_ prefix", "xoxb-your-token-here", "AIza", "glpat-", "rubygems_mirror", "sq0atp", "PMAK-collection",
    )),
    ("aws_key", 4, said("AKIA" + "IOSFODNN7" + "EXAMPLE", "AKIA" + "I44QH8DHB" + "EXAMPLE", "ASIA" + "XXXXXXXXXXXXXXXX")),
    ("aws_key", 3, masked("aws_key")),
    ("aws_key", 4, parts(token("", BASE32, 30), "AKIA", token("", BASE32, 30))),
    ("google_key", 3, masked("google_key")),
    ("github_token", 4, masked("github_token")),
    ("github_token", 3, said("ghp_" + "x" * 36)),
    ("gitlab_token", 3, masked("gitlab_token")),
    ("slack_token", 4, masked("slack_token")),
    ("stripe_key", 4, masked("stripe_key")),
    ("stripe_key", 3, token("pk_live_", BASE62, 24)),
    ("stripe_key", 3, parts("task_live_", words(5))),
    ("openai_key", 4, masked("openai_key")),
    ("openai_key", 4, parts("disk-", words(4, "-"), " risk-", words(4, "-"))),
    ("anthropic_key", 4, masked("anthropic_key")),
    ("huggingface_token", 4, parts("hf_", words(5))),
    ("huggingface_token", 3, masked("huggingface_token")),
    ("azure_key", 3, parts("AccountName=", words(1), ";AccountKey=<key>;EndpointSuffix=core.windows.net")),
    ("azure_key", 3, coded(64)),
    ("jwt", 4, lambda random: json_web_token(random).split(".")[0]),
    ("jwt", 4, parts("eyJ", words(4, "."))),
    ("jwt", 4, coded(lambda random: json.dumps({"cursor": random.randrange(10**9), "by": "date"}))),
    ("private_key", 8, public_block),
    ("private_key", 6, said(
        "a file that begins with " + "-" * 5 + "BEGIN RSA PRIVATE KEY" + "-" * 5 + " is a key", 'if text.startswith("' + "-" * 5 + 'BEGIN PRIVATE KEY' + "-" * 5 + '"):',
        "private key: see the vault", "-" * 5 + "BEGIN PRIVATE KEY" + "-" * 5 + "\n…\n" + "-" * 5 + "END PRIVATE KEY" + "-" * 5,
    )),
    ("authorization", 12, said(
        "Authorization: Bearer <token>", "use Bearer authentication", "bearer responsibilities-and-obligations", "Authorization: Basic realm=example", "basic documentation",
        "basic internationalization support", "Authorization: Bearer $TOKEN", "Authorization: Bearer ${ACCESS_TOKEN}", "token authentication-middleware",
        'headers["Authorization"] = f"Bearer {token}"', "WWW-Authenticate: Bearer realm=\"https://auth.example.com/token\"", "Authorization: Bearer ****************",
        "Authorization: Bearer YOUR_ACCESS_TOKEN",
    )),
    ("url_password", 14, said(
        "https://user@example.com/path", "ssh://git@git.example.com:22/team/repo.git", "http://localhost:8080/@scope/package", "https://example.com:443/a@b",
        "git@github.com:team/repo.git", "postgres://user:${DB_PASSWORD}@db/app", "postgres://user:password@localhost/app", "https://<user>:<password>@example.com",
        "mailto:user@localhost", "redis://cache:6379", "https://user:****@example.com", "see http://a.example.com:80, or mail me@home", "s3://bucket:name/key@2x.png",
        "https://{user}:{pass}@example.com/", "http://user:pass@example.com",
    )),
    ("card", 20, no_card),
    ("card", 4, other_number("1", 16)),
    ("card", 4, other_number("9", 16)),
    ("card", 3, other_number("353", 15)),
    ("card", 3, other_number("89", 19)),
    ("card", 4, lambda random: str(random.randrange(17 * 10**17, 18 * 10**17))),
    ("card", 4, lambda random: str(random.random())),
    ("card", 4, lambda random: f"{random.random() * 100:.15f}"),
    ("card", 4, uuid),
    ("card", 4, token("", HEX, 64)),
    ("card", 4, lambda random: f"4{some(random, digits, 24)}"),
    ("card", 3, lambda random: "ORD-" + no_card(random)),
    ("card", 3, lambda random: "4006381" + some(random, digits, 6)),
    ("iban", 12, no_iban),
    ("iban", 4, parts("DE", token("", digits, 9))),
    ("iban", 4, parts("XX", token("", digits, 20))),
    ("iban", 4, foreign_iban),
    ("iban", 3, parts("GB", token("", digits[1:], 9), " / part ", token("AB", digits, 8))),
    ("ssn", 4, parts(lambda random: random.choice(("000", "666", "900", "999")), "-", token("", digits[1:], 2), "-", token("", digits[1:], 4))),
    ("ssn", 4, parts(token("", digits[1:6], 3), "-00-", token("", digits[1:], 4))),
    ("ssn", 4, parts("2024-", token("", digits[1:6], 3), "-", token("", digits[1:], 2), "-", token("", digits[1:], 4))),
    ("ssn", 4, parts(token("", digits[1:6], 3), "-", token("", digits[1:], 2), "-", token("", digits[1:], 5))),
    ("ssn", 3, token("", digits[1:], 9)),
    ("email", 14, said(
        "git@github.com:team/repo.git", "icon@2x.png", "logo@3x.webp", "lodash@4.17.21", "@pytest.fixture", "@mention", "user@localhost", "npm i react@next",
        "a @ b.com", "deploy@host: permission denied", "https://u@example.com/x", "@scope/package.json", "sprite@2x.jpeg", "rev@{upstream}", "x@y",
    )),
    ("phone", 20, said(
        "version 1.2.3.4567", "192.168.100.200", "10.0.0.255:8080", "2024-01-02", "2024-01-02T03:04:05+02:00", "978-3-16-148410-0", "+12.345678, -98.765432",
        "123-456-789", "lines 100-200", "+0000", "1,234,567,890", "0x1234567890", "+1", "415-555-01", "port 8080", "RFC 2616-2068", "1-2-3-4-5-6-7", "12:34:56",
        "020-1234", "call 911", "100 200 3000", "+100%", "a+1234567890b", "0.1234567890",
    )),
    ("phone", 4, parts("order ", token("", digits[1:], 10))),
    ("phone", 4, parts("at ", token("17", digits, 8), ".", token("", digits, 6))),
    ("phone", 4, parts("01", token("", digits, 1), "-", token("", digits, 3), "-", token("", digits, 4))),
)  # fmt: skip


class Score(NamedTuple):
    """How often a kind was found where it is, and where it is not."""

    right: int
    missed: int
    wrong: int

    @property
    def recall(self) -> float:
        return self.right / (self.right + self.missed)

    @property
    def precision(self) -> float:
        return self.right / (self.right + self.wrong)


Found: TypeAlias = Iterable[tuple[str, int, int]]


def scores(find: Callable[[str], Found]) -> dict[str, Score]:
    """What a detector makes of the corpus, by kind; a secret is found if its kind, its beginning
    and its end are."""
    right, missed, wrong = Counter[str](), Counter[str](), Counter[str]()
    for kind, text, secret in samples():
        wanted = {(kind, secret)} if secret is not None else set()
        found = {(kind, text[start:end]) for kind, start, end in find(text)}
        for counter, which in (
            (right, wanted & found),
            (missed, wanted - found),
            (wrong, found - wanted),
        ):
            counter.update(kind for kind, _ in which)
    kinds = {sample.kind: None for sample in samples()}
    return {kind: Score(right[kind], missed[kind], wrong[kind]) for kind in kinds}


@lru_cache(maxsize=1)
def samples() -> tuple[Sample, ...]:
    return tuple(sample for seed in SEEDS for sample in (*positives(seed), *lookalikes(seed)))


def positives(seed: int) -> Iterator[Sample]:
    yield from _positives(Random(f"positives {seed}"))


def lookalikes(seed: int) -> Iterator[Sample]:
    """Look-alikes that are the whole text, or stand in one of the carriers."""
    random = Random(f"look-alikes {seed}")
    for kind, count, make in LOOKALIKES:
        for _ in range(count):
            text = make(random)
            is_alone = any(mark in text for mark in '\n":') or random.random() < 0.5
            yield Sample(kind, text if is_alone else _carried(random, text), None)


def _positives(random: Random) -> Iterator[Sample]:
    for kind, makes in KEYS.items():
        for make in (makes * 24)[: max(24, 2 * len(makes))]:
            secret = make(random)
            yield Sample(kind, _carried(random, secret), secret)
    yield from _placed(
        random, "assignment", [(one, random.sample(VALUES, 3)) for one in ASSIGNMENTS]
    )
    yield from _placed(random, "authorization", [(one, [make] * 3) for one, make in AUTHORIZATIONS])
    yield from _placed(
        random, "url_password", [(one, random.sample(URL_PASSWORDS, 2)) for one in URLS]
    )
    for carrier in (
        "{}",
        "key: |\n{}\n",
        "write it to id_rsa:\n{}\nand restart",
        '{{"key": "{}"}}',
    ) * 6:
        secret = private_key(random)
        spelled = json.dumps(secret)[1:-1] if "{{" in carrier else secret
        yield Sample("private_key", carrier.format(spelled), spelled)
    for carrier in ("{}", "Tel: {}", "call {} today", "({})", '"{}"') * 8:
        number, label = phone(random)
        yield Sample("phone", label + (carrier.format(number) if not label else number), number)


def _placed(
    random: Random, kind: str, rows: Iterable[tuple[str, Sequence[Make]]]
) -> Iterator[Sample]:
    for carrier, makes in rows:
        for make in makes:
            secret = make(random)
            yield Sample(kind, carrier.format(secret), secret)


def _carried(random: Random, text: str) -> str:
    return random.choice(CARRIERS).format(text)

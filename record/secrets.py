"""Taking secrets out of command lines and URLs before they are recorded: by name and by shape.

What is taken out too much costs a word in a report; what is left in is read by everybody who gets
the report. In doubt it goes.
"""

import re
import shlex
from collections.abc import Iterable

HIDDEN = "xxxxx"
"""What Go's `URL.Redacted` puts in a secret's place; a shell need not have it quoted."""

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_SECRET_WORDS = frozenset(
    {
        "auth",
        "authorization",
        "bearer",
        "cookie",
        "credential",
        "credentials",
        "jaas",
        "jwt",
        "pass",
        "passphrase",
        "passwd",
        "password",
        "pw",
        "pwd",
        "secret",
        "secrets",
        "signature",
        "token",
        "tokens",
    }
)
_SECRET_ENDS = ("password", "passwd", "passphrase", "storepass", "keypass", "secret", "token")
_KINDS_OF_KEY = frozenset(
    {
        "access",
        "account",
        "api",
        "encryption",
        "license",
        "private",
        "secret",
        "shared",
    }
)
_HARMLESS_ENDS = frozenset(
    {
        "dir",
        "expiry",
        "file",
        "id",
        "length",
        "name",
        "path",
        "timeout",
        "ttl",
        "type",
        "url",
    }
)
"""`--token-file` names where it is, `--token-timeout` how long it lasts."""
_PASSWORDS = frozenset({"-p", "-P"})
_LOGINS = frozenset({"-u", "-U", "--user", "--proxy-user"})
_PORTS = re.compile(r"[\d.:/-]*\d(/(tcp|udp))?")
"""`-p 8080:80` publishes a port, `-u 1000:1000` names a user and a group."""

_URL_LOGIN = re.compile(r"(?<=://)[^/?#\s\"']*@")
_NAMED = re.compile(
    r"""(?<![\w.-])(?P<name>-{0,2}[A-Za-z_][\w.-]*)"""
    r"""(?P<between>["']?\s*[=:]\s*(?!//)|\s+(?!-))"""
    r"""(?P<value>"[^"]*"|'[^']*'|(?:(?:Bearer|Basic|Token)\s+)?[^\s;,&"'}]+)"""
)
_SHAPES = re.compile(
    r"\beyJ[\w-]{8,}\.[\w-]+\.[\w-]*"  # a JSON Web Token
    r"|\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"  # of AWS
    r"|\bgh[opsur]_\w{20,}|\bgithub_pat_\w{20,}|\bglpat-[\w-]{20,}"
    r"|\bxox[abeoprs]-[\w-]{10,}|\bsk[-_][\w-]{20,}|\bhvs\.[\w-]{20,}"
    r"|\bAIza[\w-]{30,}"
    r"|(?<=Bearer )\S+|(?<=Basic )[\w+/]{8,}=*"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----.*"
    r"|\b(?=[\w+/]*[a-z])(?=[\w+/]*[A-Z])(?=[\w+]*\d)[\w+]{40,}={0,2}",
    re.DOTALL,
)


def is_secret_name(name: str) -> bool:
    """Whether what an option, a variable or a property of this name holds is a secret."""
    words = [word.lower() for word in _WORDS.findall(name)]
    if not words or words[-1] in _HARMLESS_ENDS:
        return False
    if not _SECRET_WORDS.isdisjoint(words) or any(word.endswith(_SECRET_ENDS) for word in words):
        return True
    return words[-1] == "apikey" or (
        words[-1] in {"key", "keys"} and not _KINDS_OF_KEY.isdisjoint(words[:-1])
    )


def without_secrets(text: str) -> str:
    """A URL, or any other text, without the secrets that it tells by name or by shape."""
    text = _URL_LOGIN.sub(f"{HIDDEN}@", text)
    at = 0
    while found := _NAMED.search(text, at):
        # What is no secret may hold one: a connection string, a shell's command.
        at = found.end("between")
        if _tells_secret(found["name"], found["between"], found["value"]):
            text = text[:at] + HIDDEN + text[found.end() :]
            at += len(HIDDEN)
    return _SHAPES.sub(HIDDEN, text)


def shown_command(command: Iterable[str]) -> str:
    """A command line as it may be recorded: quoted for a shell, its secrets taken out."""
    shown: list[str] = []
    flag = ""
    for argument in command:
        is_value = bool(flag) and not argument.startswith("-")
        is_secret = is_value and _tells_secret(flag, " ", argument)
        shown.append(HIDDEN if is_secret else without_secrets(argument))
        flag = argument if argument.startswith("-") and "=" not in argument else ""
    return shlex.join(shown)


def _tells_secret(name: str, between: str, value: str) -> bool:
    """Whether `name=value`, or `--name value`, tells a secret."""
    if not between.isspace():
        return is_secret_name(name)
    if name in _LOGINS:
        return ":" in value and not _PORTS.fullmatch(value)
    if name in _PASSWORDS:
        return not _PORTS.fullmatch(value)
    return name.startswith("-") and is_secret_name(name)

"""Secrets on command lines that only the program's own options name: `sshpass -p x`, `redis-cli -a x`,
`AUTH x`.

One table says for each program which of its options take a secret and which take `user:secret`. Lists of
arguments in JSON (`["redis-cli", "-a", "x"]`) are command lines too. Long options with a secret's name
(`--db-password x`) need no program.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import re2

from tachograph.processors.masking.fields import Field, marker_type
from tachograph.processors.masking.validators import has_digit, is_expression, is_hollow, is_placeholder

REACH = 1000
"""How far behind its program an option is looked for."""


@dataclass(frozen=True, slots=True)
class _Program:
    """Options of one family of programs: of a secret, of `user:secret`, and those to which the value is
    glued."""

    names: str
    secret: str = ""
    user: str = ""
    glued: str = ""


_PROGRAMS = (
    _Program(
        "curl", r"--oauth2-bearer|--pass|--proxy-pass|--tlspassword", r"-u|--user|-U|--proxy-user", "-u|-U"
    ),
    _Program("curl|wget|http|https", r"-b|--cookie|--http-password|--ftp-password|--proxy-password"),
    _Program("https?", "", "-a|--auth"),
    _Program("mysql|mysqldump|mysqladmin|mysqlimport|mysqlsh|mariadb(?:-dump|-admin)?", "", "", "-p"),
    _Program("sshpass", "-p", "", "-p"),
    _Program("redis-cli|valkey-cli|keydb-cli", "-a|--pass", "", ""),
    _Program("mongo|mongosh|mongodump|mongorestore|mongoimport|mongoexport", "-p", "", ""),
    _Program("openssl", "-k|-K|-pass|-passin|-passout|-password", "", ""),
    _Program("smbclient|rpcclient|smbmap|net", "", "-U|--user", ""),
    _Program(
        "ldapsearch|ldapadd|ldapmodify|ldapdelete|ldapwhoami|ldappasswd|ldapcompare", "-w|-s|-a", "", "-w"
    ),
    _Program(
        r"(?:docker|podman|helm|oras|skopeo|buildah|crane|nerdctl)(?:\s+\w+){0,2}\s+login",
        "-p|--password",
        "",
        "-p",
    ),
    _Program("az|oc|kubectl|ibmcloud|cf|aliyun", "-p", "", ""),
    _Program("7z|7za|7zz|rar|unrar", "", "", "-p|-hp"),
    _Program("zip|unzip|zipcloak", "-P|--password", "", "-P"),
    _Program(
        "keytool|jarsigner",
        "-storepass|-keypass|-srcstorepass|-deststorepass|-srckeypass|-destkeypass",
        "",
        "",
    ),
    _Program("ipmitool", "-P", "", "-P"),
    _Program("xfreerdp3?|wfreerdp|mstsc|sdl-freerdp|cmdkey", "", "", "/p:|/pass:|/pth:"),
    _Program("rdesktop", "-p", "", ""),
    _Program("sqlcmd|bcp|osql|isql|tsql|snowsql|impala-shell", "-P|-p", "", "-P"),
    _Program("snmpwalk|snmpget|snmpset|snmpbulkwalk", "-A|-X|-c", "", ""),
    _Program("plink|pscp|psftp|putty|winexe", "-pw", "", ""),
    _Program("gh", "--body", "", ""),
    _Program(
        "cypher-shell|influx|clickhouse-client|mosquitto_(?:pub|sub)|kcat|svn", "-p|-P|--password", "", ""
    ),
    _Program("lftp|ncftp|ncftpget|ftp", "-p", "-u|--user", ""),
    _Program("nmcli", "password|wifi-sec.psk|802-11-wireless-security.psk", "", ""),
)
# Secrets by their place among the words: rabbitmqctl add_user NAME SECRET.
_PLACED = re2.compile(
    rb"(?im)(?:\brabbitmqctl[ \t]+(?:add_user|change_password|authenticate_user)[ \t]+\S+[ \t]+"
    rb"|\bhtpasswd[ \t]+-\w*b\w*[ \t]+\S+[ \t]+\S+[ \t]+|\bhtpasswd[ \t]+-\w*n\w*b\w*[ \t]+\S+[ \t]+"
    rb"|\bnet[ \t]+use[ \t]+[^\n]{0,200}/user:\S+[ \t]+|\bnet[ \t]+user[ \t]+[\w.-]+[ \t]+"
    rb"|\bdefaults[ \t]+write[ \t]+\S+[ \t]+\S*(?:password|token|secret)\S*[ \t]+(?:-string[ \t]+)?"
    rb"|\bgit[ \t]+config[ \t]+(?:--\w+[ \t]+)*\S*(?:password|token|secret|extraheader)\S*[ \t]+"
    rb"|\b(?:npm|yarn|pnpm)[ \t]+config[ \t]+set[ \t]+\S*(?:_authtoken|_auth|_password|token)[ \t=]+"
    rb"|\baws[ \t]+configure[ \t]+set[ \t]+\S*(?:secret|token)\S*[ \t]+"
    rb"|\bchpasswd[ \t]*<<<[ \t]*[\"']?[\w.-]+:"
    rb"|\bacl[ \t]+setuser[ \t]+[^\n]{0,200}?[ \t][>#]|--from-literal[= ][\"']?[\w.-]+="
    rb"|::add-mask::|\bread[ \t]+(?:-\w+[ \t]+)*\w*(?:pass|secret|token|key)\w*[ \t]*<<<[ \t]*"
    rb"|\bpass(?:in|out)?[ \t]+(?:pass:)|\bsqlplus[ \t]+(?:-\w+[ \t]+)*[\w.-]+/|\bjdbc:oracle:\w+:[\w.-]+/"
    rb"|\bnpm_config_\S*_auth\w*[ \t=]+"
    rb"|\bconvertto-securestring[ \t]+(?:-(?:string|asplaintext|force)[ \t]+)*)"
)
# As the last word of a line only: what else begins like this is a sentence.
_CLOSING = re2.compile(
    rb"(?im)^[ \t+]*(?:(?:setenv|env|arg|set)[ \t]+[\w.:-]*(?:password|passwd|pwd|token|secret"
    rb"|api_?key|access_?key)\w*[ \t]+"
    rb"|auth[ \t]+(?:default[ \t]+|[\w.-]+[ \t]+)?|config[ \t]+set[ \t]+\w*(?:pass|auth)\w*[ \t]+"
    rb"|\w*(?:requirepass|masterauth|masterpass)[ \t]+|[\w.-]*[._-](?:password|passwd|secret|token"
    rb"|api\.key)[ \t]+"
    rb"|(?:hset|hsetnx|hmset)[ \t]+\S+[ \t]+(?:\S+[ \t]+\S+[ \t]+)*?\w*(?:password|token|secret"
    rb"|api_?key)\w*[ \t]+"
    rb"|[\w.@-]{1,64}:(?:\{s?(?:sha|md5|crypt|cleartext)\d*\}|\$(?:apr1|2[aby]|5|6"
    rb"|y)\$))[\"']?(\S+?)[\"']?[ \t]*\r?$"
)
_PIPED = re.compile(
    rb"(?:echo|printf)[ \t]+(?:-\w+[ \t]+|['\"]?%s(?:\\n)?['\"]?[ \t]+)?(?:\"([^\"\n]+)\""
    rb"|'([^'\n]+)'|([^\s|\"']+))[ \t]*\|[ \t]*"
    rb"(?:sudo[ \t]+(?:-\w+[ \t]+)*-\w*S|(?:docker|podman|helm|gh"
    rb"|oras)\b[^\n]{0,200}(?:--password-stdin|--with-token)|passwd\b|chpasswd|su\b|cryptsetup"
    rb"|openssl\b[^\n]{0,200}stdin|gpg\b[^\n]{0,200}passphrase-fd)"
)
_VALUE = re.compile(rb"(?:pass:|env:)?(?:\"((?:[^\"\\\n]|\\.)*)\"|'([^'\n]*)'|((?:\\.|[^\s\"'`<>|;&\\])+))")
_OPTION_WORDS = frozenset({
    b"flag", b"option", b"options", b"argument", b"parameter", b"switch", b"and", b"or", b"is", b"to", b"for",
    b"in", b"as", b"value", b"from", b"file", b"stdin", b"with", b"the", b"are", b"when", b"can", b"must",
    b"instead", b"if", b"not",
})  # fmt: skip
_SEPARATOR = rb"(?:[ \t]+|[ \t]*=[ \t]*|[\"'][ \t\r\n]*,[ \t\r\n]*(?=[\"']))"


def _alternatives(pick: Callable[[_Program], str]) -> bytes:
    return b"|".join(f"(?:{pick(program)})".encode() for program in _PROGRAMS)


GATE = (
    rb"(?i)(?:\b(?:"
    + _alternatives(lambda p: p.names)
    + rb"|rabbitmqctl|htpasswd|net|defaults|git|npm|yarn|pnpm|aws"
    rb"|chpasswd|acl|read|pass(?:in|out)?|sqlplus|jdbc|echo|printf|npm_config_\w+|setenv|env|arg"
    rb"|convertto-securestring|auth|\w*requirepass|masterauth|hset|hsetnx|hmset)(?:\.exe)?[\"' \t:=]"
    rb"|--from-literal|add-mask::|:\{s?(?:sha|md5|crypt)|:\$(?:apr1|2[aby]|5|6|y)\$"
    rb"|[._-](?:password|passwd|secret|token|api\.key)[ \t])"
)
"""What a text has that holds a command line."""
IsSecret = Callable[[str], bool]


class Commands:
    """Finds secrets on command lines."""

    def __init__(self, hints: bytes, is_secret: IsSecret) -> None:
        self._is_secret = is_secret
        self._program = re2.compile(
            rb"(?:^|[^\w.-])(?:" + _alternatives(lambda p: p.names) + rb")(?:\.exe)?[\"' \t]"
        )
        self._gate = re2.compile(GATE)
        self.option = (
            rb"(?:^|[\s\"'`])(?:--?|/)((?:[a-zA-Z0-9]+[-_.])*(?i:" + hints + rb")(?:[-_.]?[a-zA-Z0-9]+)*)"
            rb"(?:=|:|[ \t]+|[\"'][ \t\r\n]*,[ \t\r\n]*)[^\s-]"
        )
        """A long option with a secret's name."""
        self._long = re2.compile(self.option)
        self._families = [
            (
                re.compile(rb"[^\w.-]?(?:" + program.names.encode() + rb")(?:\.exe)?[\"' \t]"),
                _options(program),
            )
            for program in _PROGRAMS
        ]

    def find(self, text: bytes) -> Iterator[Field]:
        """Every secret that an option or its place names."""
        match: Any
        if self._gate.search(text):
            yield from self._run(text)
        for match in self._long.finditer(text):
            name = match.group(1).decode("utf-8", "replace")
            if self._is_secret(name) and not text.startswith(b"-stdin", match.end(1)):
                sure = text[match.end(1) : match.end(1) + 1] == b"=" or b"pass" in match.group(1).lower()
                yield from _value(text, match.end() - 1, name, sure=sure)
        for match in _CLOSING.finditer(text):
            if not is_placeholder(match.group(1)) and len(match.group(1)) > 2:
                yield Field("password", "PASSWORD", *match.span(1))

    def _run(self, text: bytes) -> Iterator[Field]:
        match: Any
        done: dict[int, int] = {}
        for match in self._program.finditer(text):
            at = match.start()
            for number, (family, options) in enumerate(self._families):
                if at >= done.get(number, 0) and family.match(text, at):
                    done[number] = min(_end(text, at), at + REACH)
                    yield from _given(text, at, done[number], options)
        for match in _PLACED.finditer(text):
            yield from _value(text, match.end(), "password", sure=True)
        if b"|" in text:
            for piped in _PIPED.finditer(text):
                yield from _group(piped, "password", sure=True)


def _options(program: _Program) -> re.Pattern[bytes]:
    kinds = []
    if program.secret:
        kinds.append(rb"(?P<secret>(?:" + program.secret.encode() + rb")" + _SEPARATOR + rb")")
    if program.user:
        kinds.append(
            rb"(?P<user>(?:" + program.user.encode() + rb")" + _SEPARATOR + rb"[\"']?[^\s:%\"'/]*[:%])"
        )
    if program.glued:
        kinds.append(rb"(?P<glued>(?:" + program.glued.encode() + rb")(?=[^\s=,-]))")
    return re.compile(rb"(?<=[\s\"'\[])(?:" + b"|".join(kinds) + rb")")


def _end(text: bytes, at: int) -> int:
    """Where the command line ends that begins at `at`."""
    end = text.find(b"\n", at, at + REACH)
    while end > 0 and text[end - 1 : end] == b"\\":  # the line goes on
        end = text.find(b"\n", end + 1, at + REACH)
    return len(text) if end < 0 else end


def _given(text: bytes, at: int, end: int, options: re.Pattern[bytes]) -> Iterator[Field]:
    """The secrets given by options to the program at `at`, whose line goes to `end`."""
    for option in options.finditer(text, at, end):
        kind, place = option.lastgroup, option.end()
        if kind == "user":
            if text[place - 1 : place] in (b":", b"%"):
                value = re.compile(rb"[^\s\"'`\\]+").match(text, place, end)
                if value and not is_placeholder(value[0]):
                    yield Field("password", "PASSWORD", *value.span())
        elif kind == "glued" and option[0] == b"-u":
            value = re.compile(rb"[^\s:\"']+:([^\s\"'`]+)").match(text, place, end)
            if value:
                yield Field("password", "PASSWORD", *value.span(1))
        else:
            yield from _value(text, place, "password", sure=True)


def _value(text: bytes, at: int, name: str, *, sure: bool) -> Iterator[Field]:
    value = _VALUE.match(text, at)
    if value:
        yield from _group(value, name, sure=sure)


def _group(value: re.Match[bytes], name: str, *, sure: bool) -> Iterator[Field]:
    group = value.lastindex or 0
    word = value[group]
    if is_hollow(word) or is_placeholder(word) or is_expression(word) or len(word) < 3:
        return
    if word.lower() in _OPTION_WORDS:
        return
    if sure or group < 3 or has_digit(word) or not word.isalpha():
        yield Field(name, marker_type(name), *value.span(group))

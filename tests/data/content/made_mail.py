"""Messages: S/MIME by openssl, PGP by gpg, attachments in every wrapping, and the benign look-alikes."""

from __future__ import annotations

import base64
import binascii
import quopri
import textwrap
import zlib
from email.message import EmailMessage
from pathlib import Path

from corpus import TEXT, Corpus, noise, run
from made_archives import PASSWORD, locked_zip, plain_zip
from made_office import _with_vba
from made_rar import volumes4, volumes5

BODY = b"Content-Type: text/plain\r\n\r\nDear Sir or Madam,\r\nthe figures are attached.\r\n"
KEYS_ECC = "Key-Type: EDDSA\nKey-Curve: ed25519\nSubkey-Type: ECDH\nSubkey-Curve: cv25519"


def make(corpus: Corpus, work: Path) -> None:
    """All messages."""
    _plain(corpus)
    _smime(corpus, work)
    _pgp(corpus, work)
    _wrapped(corpus)
    _pieces(corpus, work)
    _volumes(corpus, work)


def _pieces(corpus: Corpus, work: Path) -> None:
    """All pieces of a split archive in one message, and all but one."""
    (work / "noise.bin").write_bytes(noise(200_000))
    for name, options, kind in (("plain", [], ""), ("locked", [f"-p{PASSWORD}"], "encrypted")):
        for suffix in ("7z", "zip"):
            run("7z", "a", "-v64k", *options, work / f"pieces-{name}.{suffix}", "noise.bin", cwd=work)
            found = sorted(work.glob(f"pieces-{name}.{suffix}.0*"))
            files = {piece.name: piece.read_bytes() for piece in reversed(found)}
            kinds = [f"{kind}-{suffix}"] if kind else []
            corpus.add(f"pieces-{name}-{suffix}.eml", mail(files=files), *kinds)
            del files[found[1].name]
            first = kinds if suffix == "zip" else []  # the first piece of a zip file tells by itself
            corpus.add(f"pieces-{name}-{suffix}-lacking.eml", mail(files=files), "unsupported", *first)


def _volumes(corpus: Corpus, work: Path) -> None:
    """All volumes of a ZIP or RAR archive in one message, and all but one; with what the whole is of."""
    inner = locked_zip("inner.txt", noise(3000, 31))
    (work / "inner.zip").write_bytes(inner)
    (work / "noise.bin").write_bytes(noise(200_000))
    sets: list[tuple[str, dict[str, bytes], list[str]]] = []
    for name, options, kinds in (("zip", [], []), ("zip-locked", ["-P", PASSWORD], ["encrypted-zip"])):
        run("zip", "-s", "64k", *options, work / f"vol-{name}.zip", "noise.bin", cwd=work)
        sets.append((name, _files(sorted(work.glob(f"vol-{name}.z*"))), kinds))
    run("zip", "-s", "64k", work / "vol-nested.zip", "noise.bin", "inner.zip", cwd=work)
    sets.append(("zip-nested", _files(sorted(work.glob("vol-nested.z*"))), ["encrypted-zip"]))
    for content, kinds in ((noise(3000, 32), []), (inner, ["encrypted-zip"])):
        name = "nested" if kinds else "plain"
        new, old, five = (
            volumes4("inner.zip", content, 3),
            volumes4("inner.zip", content, 4, old_names=True),
            volumes5("inner.zip", content, 3),
        )
        sets.append((f"rar4-{name}", _numbered("a.part{}.rar", new), kinds))
        sets.append((f"rar5-{name}", _numbered("a.part0{}.rar", five), kinds))
        files = dict(zip(("a.rar", "a.r00", "a.r01", "a.r02"), old, strict=True))
        sets.append((f"rar4-old-{name}", files, kinds))
    for version, volumes in ((4, volumes4), (5, volumes5)):
        files = _numbered("a.part{}.rar", volumes("inner.zip", noise(3000, 33), 3, locked=True))
        sets.append((f"rar{version}-locked", files, ["encrypted-rar"]))
    for name, files, kinds in sets:
        shuffled = dict(sorted(files.items(), key=lambda one: one[0][::-1]))
        corpus.add(f"all-volumes-{name}.eml", mail(files=shuffled), *kinds)
        del shuffled[sorted(files)[1]]
        lacking = [] if name.endswith("nested") else kinds
        also = [] if lacking == ["encrypted-rar"] else ["unsupported"]  # each volume tells that it is locked
        corpus.add(f"all-volumes-{name}-but-one.eml", mail(files=shuffled), *also, *lacking)


def _files(paths: list[Path]) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in paths}


def _numbered(name: str, volumes: list[bytes]) -> dict[str, bytes]:
    return {name.format(number): data for number, data in enumerate(volumes, 1)}


def mail(
    text: str = "Good morning,\nsee you at noon.\n", *, html: str = "", files: dict[str, bytes] | None = None
) -> bytes:
    """A message with attachments."""
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "a@example.com", "b@example.org", "Figures"
    message.set_content(text)
    if html:
        message.add_alternative(html, subtype="html")
    for name, data in (files or {}).items():
        message.add_attachment(data, maintype="application", subtype="octet-stream", filename=name)
    return message.as_bytes()


def raw(headers: str, body: bytes | str) -> bytes:
    """A message with the content headers given."""
    head = f"From: a@example.com\r\nTo: b@example.org\r\nSubject: x\r\nMIME-Version: 1.0\r\n{headers}\r\n\r\n"
    return head.encode() + (body if isinstance(body, bytes) else body.encode())


def _plain(corpus: Corpus) -> None:
    corpus.add("plain.eml", mail())
    corpus.add("html.eml", mail(html="<html><body><p>Good <b>morning</b></p></body></html>"))
    corpus.add("utf8.eml", mail("Grüße aus Köln\n" * 30))
    corpus.add("attached.eml", mail(files={"figures.txt": TEXT, "plain.zip": plain_zip()}))
    corpus.add("empty.eml", b"")
    corpus.add("header-only.eml", b"From: a@example.com\r\nSubject: nothing\r\n")
    corpus.add(
        "talks-of-pgp.eml",
        mail("Put it between -----BEGIN PGP MESSAGE----- and the END line.\nThen send it.\n"),
    )
    corpus.add("talks-of-begin.eml", mail("begin 644 with the words\nand end\nbegin the day\n"))
    corpus.add("random.bin", noise(5000, 21))
    partial = 'Content-Type: message/partial; id="x"; number=1; total=2'
    corpus.add("partial.eml", raw(partial, "From: a@example.com\r\n\r\nThe first half"), "unsupported")
    corpus.add("openssl.bin", b"Salted__" + noise(200), "unsupported")
    corpus.add(
        "notes.age", b"age-encryption.org/v1\n-> X25519 " + noise(40).hex().encode() + b"\n", "unsupported"
    )
    corpus.add("armoured.age", b"-----BEGIN AGE ENCRYPTED FILE-----\nYWdlLWVuY3J5cHRpb24=\n", "unsupported")
    for name in ("archive.7z.002", "archive.zip.003", "archive.z02"):
        corpus.add(f"volume-{name}", noise(900, 23), "unsupported")
    for seed in range(30, 50):
        corpus.add(f"random-{seed}.bin", noise(3000, seed))
    for first in (0x84, 0x85, 0x8C, 0xA3, 0xA4, 0xC1, 0xC3, 0xC9, 0xD2, 0xD4):
        corpus.add(f"random-{first:02x}.bin", bytes([first]) + noise(2000, first))
    corpus.add("photo.jpg", b"\xff\xd8\xff\xe0\0\x10JFIF\0\x01" + noise(4000, 9))
    corpus.add("cut.png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + noise(500, 8))
    corpus.add("notes.txt", b"Some notes.\nPK is short for a name.\n%PDF is a format\n")
    corpus.add("utf16.txt", "Some notes in UTF-16.\r\n".encode("utf-16"))


def _smime(corpus: Corpus, work: Path) -> None:
    key, cert, body = work / "key.pem", work / "cert.pem", work / "body.txt"
    run(
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-keyout",
        key,
        "-out",
        cert,
        "-days",
        "3650",
        "-subj",
        "/CN=Test",
        "-addext",
        "keyUsage=digitalSignature,keyEncipherment,keyAgreement",
    )
    body.write_bytes(BODY)
    locked = work / "locked.txt"
    locked.write_bytes(mail(files={"a.zip": locked_zip()}))
    headers = ["-from", "a@example.com", "-to", "b@example.org", "-subject", "x"]
    for cipher in ("aes128", "aes-256-cbc", "des3", "aes-256-gcm"):
        for stream in ([], ["-stream"]):
            name = f"{cipher}{'-stream' if stream else ''}"
            out = run("openssl", "cms", "-encrypt", f"-{cipher}", *stream, *headers, "-in", body, cert)
            corpus.add(f"smime-{name}.eml", out, "smime-encrypted")
            der = run(
                "openssl", "cms", "-encrypt", f"-{cipher}", *stream, "-outform", "DER", "-in", body, cert
            )
            corpus.add(f"smime-{name}.p7m", der, "smime-encrypted")
            corpus.add(f"smime-{name}-typed.eml", mail(files={"winmail.bin": der}), "smime-encrypted")
    pem = run("openssl", "cms", "-encrypt", "-aes128", "-outform", "PEM", "-in", body, cert)
    corpus.add("smime.pem", pem, "smime-encrypted")
    corpus.add("smime-pem.eml", mail(pem.decode()), "smime-encrypted")
    bare = b"".join(pem.splitlines()[1:-1])
    corpus.add("smime-bare-base64.p7m", bare, "smime-encrypted")
    password = run(
        "openssl", "cms", "-encrypt", "-aes128", "-pwri_password", "x", "-outform", "DER", "-in", body
    )
    corpus.add("smime-password.p7m", password, "smime-encrypted")
    signed = ["openssl", "cms", "-sign", "-signer", cert, "-inkey", key]
    for name, path, kinds in (("plain", body, []), ("locked", locked, ["encrypted-zip"])):
        for stream in ([], ["-stream"]):
            tail = f"{name}{'-stream' if stream else ''}"
            corpus.add(f"signed-detached-{tail}.eml", run(*signed, *headers, *stream, "-in", path), *kinds)
            opaque = run(*signed, *headers, *stream, "-nodetach", "-in", path)
            corpus.add(f"signed-opaque-{tail}.eml", opaque, *kinds)
            der = run(*signed, "-nodetach", *stream, "-outform", "DER", "-in", path)
            corpus.add(f"signed-opaque-{tail}.p7m", der, *kinds)
    inner = work / "inner.eml"
    inner.write_bytes(run("openssl", "cms", "-encrypt", "-aes128", "-in", body, cert))
    corpus.add(
        "encrypted-in-signed.eml", run(*signed, *headers, "-nodetach", "-in", inner), "smime-encrypted"
    )
    corpus.add("encrypted-in-detached.eml", run(*signed, *headers, "-in", inner), "smime-encrypted")
    corpus.add(
        "certificates.p7b", run("openssl", "crl2pkcs7", "-nocrl", "-certfile", cert, "-outform", "DER")
    )
    corpus.add("certificates.pem", run("openssl", "crl2pkcs7", "-nocrl", "-certfile", cert))
    corpus.add("certificate.crt", run("openssl", "x509", "-in", cert, "-outform", "DER"))
    corpus.add("certificate.pem", cert.read_bytes())
    corpus.add(
        "key.p12", run("openssl", "pkcs12", "-export", "-inkey", key, "-in", cert, "-passout", "pass:x")
    )
    for name, content, kinds in (("plain", BODY, []), ("locked", locked.read_bytes(), ["encrypted-zip"])):
        corpus.add(f"compressed-{name}.p7m", _compressed(content), *kinds)
    unreadable = raw(
        "Content-Type: application/pkcs7-mime; smime-type=enveloped-data; name=smime.p7m\r\n"
        "Content-Transfer-Encoding: base64",
        base64.encodebytes(noise(300)),
    )
    corpus.add("smime-declared.eml", unreadable, "smime-encrypted")


def _der(tag: int, body: bytes) -> bytes:
    size = len(body)
    length = bytes([size]) if size < 128 else b"\x84" + size.to_bytes(4, "big")
    return bytes([tag]) + length + body


def _compressed(content: bytes) -> bytes:
    """CompressedData (RFC 3274)."""
    data = _der(6, bytes.fromhex("2a864886f70d010701"))
    zlib_id = _der(0x30, _der(6, bytes.fromhex("2a864886f70d0109100308")))
    info = _der(0x30, data + _der(0xA0, _der(4, zlib.compress(content))))
    inner = _der(0x30, _der(2, b"\0") + zlib_id + info)
    return _der(0x30, _der(6, bytes.fromhex("2a864886f70d0109100109")) + _der(0xA0, inner))


def _pgp(corpus: Corpus, work: Path) -> None:
    home = work / "gnupg"
    home.mkdir(mode=0o700)
    gpg = [
        "gpg",
        "--homedir",
        home,
        "--batch",
        "--yes",
        "--quiet",
        "--pinentry-mode",
        "loopback",
        "--passphrase",
        "secret",
    ]
    for user, kinds in (("rsa", "Key-Type: RSA\nSubkey-Type: RSA"), ("ecc", KEYS_ECC)):
        recipe = f"%no-protection\n{kinds}\nName-Email: {user}@example.com\nExpire-Date: 0\n%commit\n"
        run(*gpg, "--generate-key", data=recipe.encode())
    rsa = ["-r", "rsa@example.com", "--trust-model", "always"]
    ecc = ["-r", "ecc@example.com", "--trust-model", "always"]
    locked = mail(files={"a.zip": locked_zip()})
    ways = {
        "rsa": [*rsa, "--encrypt"],
        "ecc": [*ecc, "--encrypt"],
        "hidden": [*rsa, "--throw-keyids", "--encrypt"],
        "both": [*rsa, "--sign", "--encrypt"],
        "symmetric": ["--symmetric"],
        "symmetric-old": ["--symmetric", "--rfc2440", "--cipher-algo", "3DES"],
        "key-and-password": [*rsa, "--symmetric", "--encrypt"],
    }
    for name, options in ways.items():
        kind = "pgp-encrypted"
        binary = run(*gpg, *options, "--output", "-", data=BODY * 30)
        corpus.add(f"pgp-{name}.gpg", binary, kind)
        corpus.add(f"pgp-{name}-named.bin", binary, kind)
        corpus.add(f"pgp-{name}-attached.eml", mail(files={"data.pgp": binary}), kind)
        armour = run(*gpg, *options, "--armor", "--output", "-", data=BODY * 30)
        corpus.add(f"pgp-{name}.asc", armour, kind)
        text = armour.decode()
        corpus.add(f"pgp-{name}-inline.eml", mail(f"Hello,\n\n{text}\nBye\n"), kind)
        corpus.add(
            f"pgp-{name}-qp.eml",
            raw(
                "Content-Type: text/plain\r\nContent-Transfer-Encoding: quoted-printable",
                quopri.encodestring(armour, quotetabs=True),
            ),
            kind,
        )
        corpus.add(
            f"pgp-{name}-base64.eml",
            raw("Content-Type: text/plain\r\nContent-Transfer-Encoding: base64", base64.encodebytes(armour)),
            kind,
        )
        page = (
            "<html><body>"
            + text.replace("\n", "<br>\n").replace("+", "&#43;").replace("=", "&#61;")
            + "</body></html>"
        )
        corpus.add(f"pgp-{name}-html.eml", raw("Content-Type: text/html", page), kind)
        corpus.add(f"pgp-{name}-quoted.eml", mail("You wrote:\n" + textwrap.indent(text, "> ")), kind)
        corpus.add(f"pgp-{name}-mime.eml", _pgp_mime(armour), kind)
    corpus.add("pgp-mime-odd.eml", _pgp_mime(b"not really armour"), "pgp-encrypted")
    for name, content, kinds in (("plain", BODY, []), ("locked", locked, ["encrypted-zip"])):
        for armour in ([], ["--armor"]):
            suffix = "asc" if armour else "gpg"
            signed = run(
                *gpg,
                "--passphrase",
                "",
                *armour,
                "-u",
                "rsa@example.com",
                "--sign",
                "--output",
                "-",
                data=content,
            )
            corpus.add(f"pgp-signed-{name}.{suffix}", signed, *kinds)
            stored = run(*gpg, *armour, "--store", "--output", "-", data=content)
            corpus.add(f"pgp-stored-{name}.{suffix}", stored, *kinds)
    signed = run(
        *gpg, "--passphrase", "", "-u", "rsa@example.com", "--clear-sign", "--output", "-", data=TEXT
    )
    corpus.add("pgp-clearsigned.eml", mail(signed.decode()))
    for options, name in ((["--armor"], "asc"), ([], "sig")):
        signature = run(
            *gpg,
            "--passphrase",
            "",
            "-u",
            "rsa@example.com",
            *options,
            "--detach-sign",
            "--output",
            "-",
            data=TEXT,
        )
        corpus.add(f"pgp-detached.{name}", signature)
        key = run(*gpg, *options, "--export", "rsa@example.com")
        corpus.add(f"pgp-key-{name}.{'asc' if options else 'gpg'}", key)
        secret = run(*gpg, "--passphrase", "", *options, "--export-secret-keys", "rsa@example.com")
        corpus.add(f"pgp-secret-{name}.{'asc' if options else 'gpg'}", secret)
    run("gpgconf", "--homedir", home, "--kill", "all")


def _pgp_mime(armour: bytes) -> bytes:
    return raw(
        'Content-Type: multipart/encrypted; protocol="application/pgp-encrypted";\r\n boundary="bound"',
        b"--bound\r\nContent-Type: application/pgp-encrypted\r\n\r\nVersion: 1\r\n\r\n--bound\r\n"
        b'Content-Type: application/octet-stream; name="encrypted.asc"\r\n\r\n'
        + armour
        + b"\r\n--bound--\r\n",
    )


def _wrapped(corpus: Corpus) -> None:
    """The same three attachments in every wrapping that a mail program might use or misuse."""
    for name, data, kinds in (
        ("plain", plain_zip(), []),
        ("locked", locked_zip(), ["encrypted-zip"]),
        ("macro", _with_vba("docx"), ["macro"]),
    ):
        lines = base64.encodebytes(data)
        head = "Content-Type: application/octet-stream; name=x.bin\r\nContent-Transfer-Encoding: base64"
        corpus.add(f"wrap-single-{name}.eml", raw(head, lines), *kinds)
        corpus.add(
            f"wrap-text-type-{name}.eml",
            raw("Content-Type: text/plain\r\nContent-Transfer-Encoding: base64", lines),
            *kinds,
        )
        corpus.add(
            f"wrap-image-type-{name}.eml",
            raw("Content-Type: image/jpeg\r\nContent-Transfer-Encoding: BASE64 ", lines),
            *kinds,
        )
        corpus.add(f"wrap-long-line-{name}.eml", raw(head, base64.b64encode(data)), *kinds)
        corpus.add(f"wrap-junk-{name}.eml", raw(head, lines.replace(b"\n", b" !\r\n")), *kinds)
        corpus.add(
            f"wrap-8bit-{name}.eml",
            raw("Content-Type: application/zip\r\nContent-Transfer-Encoding: binary", data),
            *kinds,
        )
        corpus.add(
            f"wrap-qp-{name}.eml",
            raw(
                "Content-Type: application/zip\r\nContent-Transfer-Encoding: quoted-printable",
                quopri.encodestring(data),
            ),
            *kinds,
        )
        uu = uuencoded("x.zip", data)
        corpus.add(
            f"wrap-uu-{name}.eml", raw("Content-Type: text/plain", b"Hello,\n\n" + uu + b"\nBye\n"), *kinds
        )
        corpus.add(
            f"wrap-uu-crlf-{name}.eml", raw("Content-Type: text/plain", uu.replace(b"\n", b"\r\n")), *kinds
        )
        corpus.add(
            f"wrap-uu-encoding-{name}.eml",
            raw("Content-Type: application/zip\r\nContent-Transfer-Encoding: x-uuencode", uu),
            *kinds,
        )
        corpus.add(f"wrap-uu-{name}.uue", uu, *kinds)
        inner = mail(files={"x.zip": data})
        forwarded = raw(
            'Content-Type: multipart/mixed; boundary="b"',
            b"--b\r\nContent-Type: message/rfc822\r\n\r\n" + inner + b"\r\n--b--\r\n",
        )
        corpus.add(f"wrap-forwarded-{name}.eml", forwarded, *kinds)
        corpus.add(f"wrap-forwarded-twice-{name}.eml", raw("Content-Type: message/rfc822", forwarded), *kinds)
        corpus.add(f"wrap-eml-attached-{name}.eml", mail(files={"mail.eml": inner}), *kinds)
        corpus.add(f"wrap-eml-in-zip-{name}.eml", mail(files={"m.zip": plain_zip("m.eml", inner)}), *kinds)
        corpus.add(
            f"wrap-digest-{name}.eml",
            raw('Content-Type: multipart/digest; boundary="d"', b"--d\r\n\r\n" + inner + b"\r\n--d--\r\n"),
            *kinds,
        )
        part = f"--{{}}\r\n{head}\r\n\r\n".encode()
        corpus.add(
            f"wrap-unclosed-{name}.eml",
            raw("Content-Type: multipart/mixed; boundary=b", part.replace(b"{}", b"b") + lines),
            *kinds,
        )
        corpus.add(
            f"wrap-boundary-{name}.eml",
            raw(
                'Content-Type: multipart/mixed;\r\n\tboundary="a b=c?:(1)"',
                part.replace(b"{}", b"a b=c?:(1)") + lines + b"--a b=c?:(1)--\r\n",
            ),
            *kinds,
        )
        corpus.add(
            f"wrap-preamble-{name}.eml",
            raw(
                "Content-Type: multipart/mixed; boundary=b",
                b"This is a multi-part message.\r\n--bb\r\n\r\n"
                + part.replace(b"{}", b"b")
                + lines
                + b"--b--\r\n--b\r\n",
            ),
            *kinds,
        )
        corpus.add(f"wrap-lf-{name}.eml", mail(files={"x.zip": data}).replace(b"\r\n", b"\n"), *kinds)
        odd = "Content-Disposition: attachment; filename*0*=UTF-8''Zahlen%20; filename*1=M%C3%A4rz.zip\r\n"
        corpus.add(f"wrap-rfc2231-{name}.eml", raw(odd + head, lines), *kinds)
        corpus.add(
            f"wrap-rfc2047-{name}.eml",
            raw('Content-Disposition: attachment; filename="=?utf-8?B?WmFobGVuLnppcA==?="\r\n' + head, lines),
            *kinds,
        )
        corpus.add(
            f"wrap-folded-{name}.eml",
            raw(head.replace("; ", ";\r\n\t").replace(": ", ":\r\n "), lines),
            *kinds,
        )
        corpus.add(f"wrap-mbox-{name}.eml", b"From a@example.com Mon Jan  1 00:00:00 2026\n" + inner, *kinds)


def uuencoded(name: str, data: bytes) -> bytes:
    """As uuencode writes it."""
    lines = [binascii.b2a_uu(data[at : at + 45], backtick=True) for at in range(0, len(data), 45)]
    return f"begin 644 {name}\n".encode() + b"".join(lines) + b"`\nend\n"

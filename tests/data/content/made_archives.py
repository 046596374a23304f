"""Archives by zip, 7z, tar and libarchive: plain, encrypted, nested, prefixed, split."""

from __future__ import annotations

import base64
import bz2
import gzip
import io
import lzma
import struct
import tarfile
import zipfile
import zlib
from pathlib import Path

import libarchive
import pyzipper
import zstandard
from corpus import TEXT, Corpus, noise, run

PASSWORD = "open sesame"
STUB = b"MZ" + noise(3000, 7).replace(b"PK", b"pk").replace(b"Rar!", b"rar!").replace(b"7z", b"zz")


def make(corpus: Corpus, work: Path) -> None:
    """All archives."""
    folder = work / "folder"
    (folder / "inner").mkdir(parents=True)
    (folder / "figures.txt").write_bytes(TEXT * 20)
    (folder / "inner" / "letter.txt").write_bytes(b"Dear Sir or Madam,\n" * 30)
    (folder / "inner" / "noise.bin").write_bytes(noise(5000))
    (folder / "Zahlen März – übersicht.txt").write_bytes(TEXT)
    _zips(corpus, folder, work)
    _seven(corpus, folder, work)
    _streams(corpus, folder)
    _others(corpus)
    _split(corpus, work)


def plain_zip(name: str = "figures.txt", data: bytes = TEXT, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A ZIP of one file."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        archive.writestr(name, data)
    return out.getvalue()


def locked_zip(name: str = "figures.txt", data: bytes = TEXT, bits: int = 256) -> bytes:
    """A ZIP of one file, encrypted as WinZip does it."""
    out = io.BytesIO()
    with pyzipper.AESZipFile(
        out, "w", compression=pyzipper.ZIP_DEFLATED, encryption=pyzipper.WZ_AES
    ) as archive:
        archive.setpassword(PASSWORD.encode())
        archive.setencryption(pyzipper.WZ_AES, nbits=bits)
        archive.writestr(name, data)
    return out.getvalue()


class _Pipe(io.RawIOBase):
    """Output that cannot seek, so that zipfile writes data descriptors."""

    def __init__(self) -> None:
        self.out = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        self.out += data
        return len(data)


def _zips(corpus: Corpus, folder: Path, work: Path) -> None:
    for method, name in (
        (zipfile.ZIP_STORED, "stored"),
        (zipfile.ZIP_DEFLATED, "deflated"),
        (zipfile.ZIP_BZIP2, "bzip2"),
        (zipfile.ZIP_LZMA, "lzma"),
    ):
        corpus.add(f"zip-{name}.zip", plain_zip(method=method))
    for level in (1, 9):
        run("zip", "-r", f"-{level}", work / f"level{level}.zip", ".", cwd=folder)
        corpus.take(work / f"level{level}.zip", f"zip-level{level}.zip")
    corpus.add("zip-piped.zip", run("zip", "-r", "-", ".", cwd=folder))
    corpus.add(
        "zip-piped-locked.zip", run("zip", "-P", PASSWORD, "-r", "-", ".", cwd=folder), "encrypted-zip"
    )
    for method in ("Copy", "Deflate", "Deflate64", "BZip2", "LZMA", "PPMd"):
        run("7z", "a", "-tzip", f"-mm={method}", work / f"m{method}.zip", ".", cwd=folder)
        corpus.take(work / f"m{method}.zip", f"zip-7z-{method}.zip")
        for cipher in ("ZipCrypto", "AES128", "AES192", "AES256"):
            path = work / f"m{method}{cipher}.zip"
            run("7z", "a", "-tzip", f"-mm={method}", f"-mem={cipher}", f"-p{PASSWORD}", path, ".", cwd=folder)
            corpus.take(path, f"zip-7z-{method}-{cipher}.zip", "encrypted-zip")
    for level in (0, 6):
        run("zip", "-r", f"-{level}", "-P", PASSWORD, work / f"locked{level}.zip", ".", cwd=folder)
        corpus.take(work / f"locked{level}.zip", f"zip-crypto-{level}.zip", "encrypted-zip")
    run("zip", work / "mixed.zip", "figures.txt", cwd=folder)
    run("zip", "-P", PASSWORD, work / "mixed.zip", "inner/letter.txt", cwd=folder)
    corpus.take(work / "mixed.zip", "zip-mixed.zip", "encrypted-zip")
    plain, locked = plain_zip(), locked_zip()
    for bits in (128, 192, 256):
        corpus.add(f"zip-aes{bits}.zip", locked_zip(bits=bits), "encrypted-zip")
    pipe = _Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as archive:  # type: ignore[call-overload]
        archive.writestr("figures.txt", TEXT)
    corpus.add("zip-descriptor.zip", bytes(pipe.out))
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive, archive.open("large.txt", "w", force_zip64=True) as file:
        file.write(TEXT)
    corpus.add("zip-zip64.zip", out.getvalue())
    corpus.add("zip-comment.zip", _commented(plain, b"packed by hand"))
    corpus.add("zip-locked-comment.zip", _commented(locked, b"the usual password"), "encrypted-zip")
    corpus.add("zip-empty.zip", zipfile_empty())
    corpus.add("zip-trailing.zip", plain + b"\r\n\r\n")
    corpus.add("zip-locked-trailing.zip", locked + b"\r\n\r\n", "encrypted-zip")
    corpus.add("zip-named.doc", plain)
    corpus.add("zip-locked-named.jpg", locked, "encrypted-zip")
    corpus.add("sfx-plain.exe", STUB + plain)
    corpus.add("sfx-locked.exe", STUB + locked, "encrypted-zip")
    corpus.add("prefixed-plain.gif", b"GIF89a" + noise(900, 3) + plain)
    corpus.add("prefixed-locked.gif", b"GIF89a" + noise(900, 3) + locked, "encrypted-zip")
    corpus.add("program.exe", STUB)
    corpus.add("zip-strong.zip", _strong(plain), "encrypted-zip")
    corpus.add("zip-masked.zip", _masked(), "encrypted-zip")
    for depth in (2, 3, 5):
        one, other = plain, locked
        for level in range(depth):
            one, other = plain_zip(f"level{level}.zip", one), plain_zip(f"level{level}.zip", other)
        corpus.add(f"nested-plain-{depth}.zip", one)
        corpus.add(f"nested-locked-{depth}.zip", other, "encrypted-zip")
    too_deep = plain
    for level in range(20):
        too_deep = plain_zip(f"level{level}.zip", too_deep)
    corpus.add("nested-too-deep.zip", too_deep, "limit-exceeded")
    corpus.add("jar-plain.jar", plain_zip("META-INF/MANIFEST.MF", b"Manifest-Version: 1.0\n"))


def zipfile_empty() -> bytes:
    """A ZIP without files."""
    return b"PK\x05\x06" + bytes(18)


def _commented(data: bytes, comment: bytes) -> bytes:
    return data[:-2] + struct.pack("<H", len(comment)) + comment


def _strong(data: bytes) -> bytes:
    """PKWARE's strong encryption, as the headers show it."""
    at = data.index(b"PK\x01\x02")
    changed = bytearray(data)
    changed[6:8] = struct.pack("<H", 0x41)
    changed[at + 8 : at + 10] = struct.pack("<H", 0x41)
    return bytes(changed)


def _masked() -> bytes:
    """An archive whose central directory itself is encrypted: version 2 of the ZIP64 end record."""
    local = struct.pack("<4s5H3L2H", b"PK\x03\x04", 62, 0x2041, 8, 0, 0, 0, 200, 0, 1, 0) + b"1" + noise(200)
    directory = noise(300, 5)
    end64 = struct.pack(
        "<4sQ2H2L4Q", b"PK\x06\x06", 44 + 28, 62, 62, 0, 0, 1, 1, len(directory), len(local)
    ) + struct.pack("<H2Q4H", 8, len(directory), 400, 0x660E, 256, 1, 0x8004)
    end64 += bytes(72 + 12 - len(end64))
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, len(local) + len(directory), 1)
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 1, 1, len(directory), len(local), 0)
    return local + directory + end64 + locator + end


def _seven(corpus: Corpus, folder: Path, work: Path) -> None:
    for method in ("LZMA", "LZMA2", "PPMd", "BZip2", "Deflate", "Copy", "BCJ"):
        chain = ["-m0=BCJ", "-m1=LZMA"] if method == "BCJ" else [f"-m0={method}"]
        for name, options, kinds in (
            ("plain", [], []),
            ("locked", [f"-p{PASSWORD}"], ["encrypted-7z"]),
            ("headers", [f"-p{PASSWORD}", "-mhe=on"], ["encrypted-7z"]),
        ):
            path = work / f"{method}-{name}.7z"
            run("7z", "a", *chain, *options, path, ".", cwd=folder)
            corpus.take(path, f"7z-{method}-{name}.7z", *kinds)
    plain = (work / "LZMA-plain.7z").read_bytes()
    locked = (work / "LZMA-locked.7z").read_bytes()
    headers = (work / "LZMA-headers.7z").read_bytes()
    corpus.add("7z-sfx-plain.exe", STUB + plain)
    corpus.add("7z-sfx-locked.exe", STUB + locked, "encrypted-7z")
    corpus.add("7z-headers-named.txt", headers, "encrypted-7z")
    corpus.add("7z-in-zip-locked.zip", plain_zip("inner.7z", locked), "encrypted-7z")
    corpus.add("7z-in-zip-plain.zip", plain_zip("inner.7z", plain))
    corpus.add("7z-cut.7z", plain[:-40], "corrupt")
    corpus.add("7z-half.7z", plain[: len(plain) // 2], "corrupt")
    (work / "zips").mkdir()
    (work / "zips" / "locked.zip").write_bytes(locked_zip())
    run("7z", "a", work / "zip-in.7z", ".", cwd=work / "zips")
    corpus.take(work / "zip-in.7z", "zip-locked-in-7z.7z", "encrypted-zip")


def _tar(files: dict[str, bytes], mode: str = "w") -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as archive:  # type: ignore[call-overload]
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def _streams(corpus: Corpus, folder: Path) -> None:
    packers = {
        "gz": gzip.compress,
        "bz2": bz2.compress,
        "xz": lzma.compress,
        "zst": zstandard.compress,
        "lz4": lambda data: run("lz4", "-c", data=data),
        "lz": lambda data: run("lzip", "-c", data=data),
        "lzma": lambda data: lzma.compress(data, lzma.FORMAT_ALONE),
    }
    tar = corpus.add("tar-plain.tar", _tar({"figures.txt": TEXT, "letter.txt": TEXT * 40}))
    locked = corpus.add("tar-locked.tar", _tar({"a.txt": TEXT, "b.zip": locked_zip()}), "encrypted-zip")
    corpus.add("tar-gnu.tar", run("tar", "-cf", "-", ".", cwd=folder))
    corpus.add("tar-pax.tar", run("tar", "--format=pax", "-cf", "-", ".", cwd=folder))
    corpus.add("tar-v7.tar", run("tar", "--format=v7", "-cf", "-", "figures.txt", cwd=folder))
    for suffix, pack in packers.items():
        corpus.add(f"text.txt.{suffix}", pack(TEXT * 50))
        corpus.add(f"plain.tar.{suffix}", pack(tar))
        corpus.add(f"locked.tar.{suffix}", pack(locked), "encrypted-zip")
        if suffix != "lzma":
            corpus.add(f"noname-{suffix}", pack(tar))
            corpus.add(f"cut.tar.{suffix}", pack(tar + noise(4000))[:-900], "corrupt")
    corpus.add("twice.gz", gzip.compress(gzip.compress(locked_zip())), "encrypted-zip")
    corpus.add("members.gz", gzip.compress(TEXT) + gzip.compress(TEXT))
    corpus.add("padded.gz", gzip.compress(TEXT) + bytes(100))


def _archive(format_: str, files: dict[str, bytes]) -> bytes:
    out = bytearray()

    def write(data: bytes) -> int:
        out.extend(data)
        return len(data)

    with libarchive.custom_writer(write, format_) as archive:
        for name, data in files.items():
            archive.add_file_from_memory(name, len(data), data)
    return bytes(out)


def _others(corpus: Corpus) -> None:
    files = {"figures.txt": TEXT, "letter.txt": TEXT * 100}
    locked = {"figures.txt": TEXT, "locked.zip": locked_zip()}
    for format_, suffix in (("cpio_newc", "cpio"), ("iso9660", "iso"), ("xar", "xar"), ("ar_svr4", "ar")):
        corpus.add(f"other-plain.{suffix}", _archive(format_, files))
        corpus.add(f"other-locked.{suffix}", _archive(format_, locked), "encrypted-zip")
    corpus.add("other-plain.cab", cab(files))
    corpus.add("other-locked.cab", cab(locked), "encrypted-zip")
    corpus.add("other-plain.lzh", lha(files))
    corpus.add("other-locked.lzh", lha(locked), "encrypted-zip")
    corpus.add("other.arj", b"\x60\xea" + _arj_header(), "unsupported")
    corpus.add("other.ace", noise(7, 2) + b"**ACE**" + noise(200), "unsupported")
    corpus.add("other.wim", b"MSWIM\0\0\0" + noise(300), "unsupported")
    sectors = [b"\0" + name + b"\1" + bytes(2041) for name in (b"BEA01", b"NSR02", b"TEA01")]  # ECMA-167, 2/9
    corpus.add("other-udf.img", bytes(32768) + b"".join(sectors) + noise(2000), "unsupported")
    corpus.add("other-not-udf.img", bytes(32768) + sectors[0] + noise(4000))
    _by_other_programs(corpus)


def _by_other_programs(corpus: Corpus) -> None:
    """Files that programs of their own encrypt, by the beginnings that these write, and near misses."""
    for name, start in (
        ("passwords.kdbx", b"\x03\xd9\xa2\x9a\x67\xfb\x4b\xb5\0\0\x04\0"),
        ("passwords.kdb", b"\x03\xd9\xa2\x9a\x65\xfb\x4b\xb5\x03\0\0\0"),
        ("passwords.psafe3", b"PWS3"),
        ("passwords.kwl", b"KWALLET\n\r\0\r\n\0\0\0\x02"),
        ("disk.luks", b"LUKS\xba\xbe\0\x02"),
        ("disk.dmg", b"encrcdsa\0\0\0\x02"),
        ("disk.vhd", b"\xeb\x58\x90-FVE-FS-\0\x02"),
    ):
        corpus.add(f"locked-{name}", start + noise(900), "unsupported")
    corpus.add(
        "locked-vault.yml", b"$ANSIBLE_VAULT;1.1;AES256\n" + noise(300).hex().encode() + b"\n", "unsupported"
    )
    secret = base64.encodebytes(b"Salted__" + noise(200))
    corpus.add("locked-openssl.txt", secret, "unsupported")
    corpus.add("locked-openssl-one-line.txt", secret.replace(b"\n", b""), "unsupported")
    corpus.add("locked-openssl-short.txt", base64.encodebytes(b"Salted__" + noise(24)), "unsupported")
    corpus.add("locked-openssl-quoted.eml", (
        b"From: a@example.org\r\nTo: b@example.org\r\nSubject: secret\r\n\r\nHere it is:\r\n\r\n> "
        + secret.strip().replace(b"\n", b"\r\n> ") + b"\r\n"
    ), "unsupported")  # fmt: skip
    corpus.add(
        "talk-openssl.txt", b"What openssl encrypts begins with\nU2FsdGVkX1 and goes on with the salt.\n" * 9
    )
    corpus.add("talk-vault.txt", b"Begin the file with $ANSIBLE_VAULT;1.1;AES256 and a line end.\n")
    corpus.add("disk-plain.img", b"\xeb\x58\x90MSDOS5.0" + noise(900))
    corpus.add("noise-near-kdbx.bin", b"\x03\xd9\xa2\x9a" + noise(900))


def cab(files: dict[str, bytes]) -> bytes:
    """A cabinet of stored files ([MS-CAB])."""
    content = b"".join(files.values())
    blocks = [content[at : at + 32768] for at in range(0, len(content), 32768)]
    entries, offset = b"", 0
    for name, data in files.items():
        entries += struct.pack("<2L4H", len(data), offset, 0, 0x21, 0, 0x20) + name.encode() + b"\0"
        offset += len(data)
    start = 36 + 8 + len(entries)
    body = b"".join(struct.pack("<L2H", 0, len(block), len(block)) + block for block in blocks)
    folder = struct.pack("<L2H", start, len(blocks), 0)
    head = struct.pack("<4s5L2B5H", b"MSCF", 0, start + len(body), 0, 44, 0, 3, 1, 1, len(files), 0, 1, 0)
    return head + folder + entries + body


def lha(files: dict[str, bytes]) -> bytes:
    """An LHA archive of stored files, header level 0."""
    out = b""
    for name, data in files.items():
        rest = b"-lh0-" + struct.pack("<3L2B", len(data), len(data), 0x21 << 16, 0x20, 0)
        rest += struct.pack("<B", len(name)) + name.encode() + struct.pack("<H", _crc16(data))
        out += bytes([len(rest), sum(rest) & 0xFF]) + rest + data
    return out + b"\0"


def _crc16(data: bytes) -> int:
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0xA001 if crc & 1 else 0)
    return crc


def _arj_header() -> bytes:
    basic = bytes([30, 11, 1, 2, 0x10, 0, 2, 0]) + bytes(22) + b"other.arj\0\0"
    return struct.pack("<H", len(basic)) + basic + struct.pack("<LH", zlib.crc32(basic), 0) + b"\x60\xea\0\0"


def _split(corpus: Corpus, work: Path) -> None:
    (work / "big.bin").write_bytes(noise(200_000))
    run("zip", "-s", "64k", work / "split.zip", "big.bin", cwd=work)
    run("zip", "-s", "64k", "-P", PASSWORD, work / "slock.zip", "big.bin", cwd=work)
    for name, options, kinds in (("plain", [], []), ("locked", [f"-p{PASSWORD}"], ["encrypted-zip"])):
        run("7z", "a", "-v64k", *options, work / f"{name}.7z", "big.bin", cwd=work)
        run("7z", "a", "-v64k", *options, work / f"{name}.zip", "big.bin", cwd=work)
        corpus.take(work / f"{name}.7z.001", f"volumes-{name}.7z.001", "unsupported")
        corpus.take(work / f"{name}.zip.001", f"volumes-{name}.zip.001", "unsupported", *kinds)
    corpus.take(work / "split.z01", "split-first.z01", "unsupported")
    corpus.take(work / "split.zip", "split-last.zip", "unsupported")
    corpus.take(work / "slock.z01", "split-locked-first.z01", "encrypted-zip", "unsupported")
    corpus.take(work / "slock.zip", "split-locked-last.zip", "encrypted-zip")

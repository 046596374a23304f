import zipfile

ZIP_DEFLATED: int
WZ_AES: int

class BadZipFile(Exception): ...

class AESZipFile(zipfile.ZipFile):
    def __init__(
        self, file: object, mode: str = ..., *, compression: int = ..., encryption: int = ...
    ) -> None: ...

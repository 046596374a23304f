class ArchiveError(Exception):
    msg: str | None

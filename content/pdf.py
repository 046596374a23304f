"""PDF: encrypted only when it does not open without a password."""

from __future__ import annotations

import pikepdf

from mailweir.content.item import Item, file_of
from mailweir.content.trouble import Corrupt
from mailweir.content.walk import Walk


def look(walk: Walk, item: Item) -> None:
    """Open with the empty password, as every reader does."""
    try:
        pdf = pikepdf.open(file_of(item.data), inherit_page_attributes=False)
    except pikepdf.PasswordError:
        walk.found("encrypted-pdf", item, "user password")
        return
    except pikepdf.PdfError as error:
        if "unsupported encryption filter" in str(error):
            walk.found("encrypted-pdf", item, "public-key security")
            return
        raise Corrupt(str(error)) from error
    with pdf:
        for name, spec in pdf.attachments.items():
            content = spec.get_file().read_bytes()
            walk.budget.take(len(content))
            walk.member(item, name, content)

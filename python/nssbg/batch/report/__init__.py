"""What a person is handed after a batch: tables, a page to look at and a contact sheet."""

from nssbg.batch.report.thumbnails import Thumb, ThumbnailStore, thumbnail
from nssbg.batch.report.write import Reports, thumbnails_path, write_reports

__all__ = ["Reports", "Thumb", "ThumbnailStore", "thumbnail", "thumbnails_path", "write_reports"]

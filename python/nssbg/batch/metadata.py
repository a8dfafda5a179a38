"""What a batch's files say about themselves: kept, stripped or rights only; and what made them.

Provenance goes into XMP, in a namespace of its own beside xmp:CreatorTool. It holds no time of
day: the same picture gives the same bytes.
"""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree
from xml.sax.saxutils import escape, quoteattr

from nssbg import __version__
from nssbg._io.metadata import named_srgb
from nssbg.batch.profile import Profile, Rights

if TYPE_CHECKING:
    from nssbg._cutout import Cutout

__all__ = ["FileMetadata", "fitting", "metadata_for", "rights_of"]

# A segment holds 65533 bytes, its name among them.
_LARGEST_IN_JPEG = 65_000
_ARTIST, _COPYRIGHT = 0x013B, 0x8298
_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_DC = "http://purl.org/dc/elements/1.1/"
_XMP = "http://ns.adobe.com/xap/1.0/"
_PHOTOSHOP = "http://ns.adobe.com/photoshop/1.0/"
_NSSBG = "urn:nssbg:provenance:1.0/"
# What XML 1.0 cannot hold.
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


@dataclass(frozen=True)
class FileMetadata:
    """What goes into a file beside its pixels.

    Attributes:
        exif: EXIF block without prefix, or None.
        xmp: XMP packet, or None.
        dpi: Pixels per inch (x, y), or None.
        notes: What could not be kept.
    """

    exif: bytes | None = None
    xmp: bytes | None = None
    dpi: tuple[float, float] | None = None
    notes: tuple[str, ...] = ()


def metadata_for(cutout: Cutout, profile: Profile) -> FileMetadata:
    """What a profile's files carry for one picture.

    Args:
        cutout: Its frame holds what the photograph carried.
        profile: Its metadata policy, rights and provenance.
    """
    frame = cutout.frame
    made = _provenance(cutout, profile) if profile.provenance else {}
    if profile.metadata == "keep":
        if frame.xmp is None:
            return FileMetadata(frame.exif, _packet(_description(made)), frame.dpi)
        xmp, notes = _with_added(frame.xmp, made)
        return FileMetadata(frame.exif, xmp, frame.dpi, notes)
    if profile.metadata == "strip":
        return FileMetadata(xmp=_packet(_description(made)))
    rights = rights_of(frame.exif, frame.xmp, profile.rights)
    return FileMetadata(exif=_rights_exif(rights), xmp=_packet(_description(made, rights)))


def fitting(metadata: FileMetadata, format: str, *, converted: bool) -> FileMetadata:
    """What of it one format can hold, in words that fit the pixels.

    Args:
        metadata: As `metadata_for` gives it.
        format: That the file is written in.
        converted: The pixels were converted to sRGB.
    """
    exif, xmp, notes = metadata.exif, metadata.xmp, list(metadata.notes)
    if exif is not None and converted:
        exif = named_srgb(exif)
    if format == "jpeg" and exif is not None and len(exif) > _LARGEST_IN_JPEG:
        exif = None
        notes.append("the picture's EXIF block is larger than a JPEG can hold and was left out")
    if format == "jpeg" and xmp is not None and len(xmp) > _LARGEST_IN_JPEG:
        xmp = None
        notes.append("the picture's XMP packet is larger than a JPEG can hold and was left out")
    return FileMetadata(exif, xmp, metadata.dpi, tuple(notes))


def rights_of(exif: bytes | None, xmp: bytes | None, otherwise: Rights) -> Rights:
    """Artist, copyright and credit as a photograph names them, else as the profile does."""
    artist = _exif_text(exif, _ARTIST)
    copyright = _exif_text(exif, _COPYRIGHT)
    credit = ""
    if xmp is not None:
        root = _parsed(xmp)
        if root is not None:
            artist = artist or _xmp_text(root, _DC, "creator")
            copyright = copyright or _xmp_text(root, _DC, "rights")
            credit = _xmp_text(root, _PHOTOSHOP, "Credit")
    return Rights(
        artist=artist or otherwise.artist,
        copyright=copyright or otherwise.copyright,
        credit=credit or otherwise.credit,
    )


def _provenance(cutout: Cutout, profile: Profile) -> dict[str, str]:
    plan, enhanced = cutout.plan, cutout.enhancement
    also = {}
    if enhanced is not None:
        also["nssbg:EnhancedBy"] = PurePath(enhanced.model).name
        also["nssbg:EnhancedByLicense"] = enhanced.license
    return {
        "xmp:CreatorTool": f"nssbg {__version__}",
        "nssbg:Version": __version__,
        # A model given by its path is named without the folders of this machine.
        "nssbg:Model": PurePath(plan.model).name,
        "nssbg:ModelLicense": plan.license,
        **also,
        "nssbg:Profile": profile.name,
    }


def _description(made: dict[str, str], rights: Rights | None = None) -> str:
    """One rdf:Description; "" where it would say nothing."""
    parts = []
    if rights is not None:
        if rights.artist:
            parts.append(
                f"<dc:creator><rdf:Seq><rdf:li>{_clean(rights.artist)}</rdf:li></rdf:Seq>"
                "</dc:creator>"
            )
        if rights.copyright:
            parts.append(
                '<dc:rights><rdf:Alt><rdf:li xml:lang="x-default">'
                f"{_clean(rights.copyright)}</rdf:li></rdf:Alt></dc:rights>"
            )
        if rights.credit:
            parts.append(f"<photoshop:Credit>{_clean(rights.credit)}</photoshop:Credit>")
    if not made and not parts:
        return ""
    attributes = "".join(
        f" {name}={quoteattr(_NOT_XML.sub('', value))}" for name, value in made.items()
    )
    return (
        f'<rdf:Description rdf:about="" xmlns:rdf="{_RDF}" xmlns:dc="{_DC}" xmlns:xmp="{_XMP}" '
        f'xmlns:photoshop="{_PHOTOSHOP}" xmlns:nssbg="{_NSSBG}"{attributes}>'
        f"{''.join(parts)}</rdf:Description>"
    )


def _packet(description: str) -> bytes | None:
    if not description:
        return None
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
        f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{_RDF}">{description}'
        '</rdf:RDF></x:xmpmeta><?xpacket end="r"?>'
    ).encode()


def _with_added(packet: bytes, made: dict[str, str]) -> tuple[bytes | None, tuple[str, ...]]:
    """A photograph's own packet with provenance added to it."""
    if not made:
        return packet, ()
    if _parsed(packet) is None:
        return _packet(_description(made)), ("the picture's XMP is malformed and was left out",)
    end = packet.rfind(b"</rdf:RDF>")
    if end < 0:
        return packet, ("provenance could not be added to the picture's own XMP",)
    # The tool that made the photograph stays named; ours stands in our own words.
    if b"CreatorTool" in packet:
        made = {name: value for name, value in made.items() if name != "xmp:CreatorTool"}
    return packet[:end] + _description(made).encode() + packet[end:], ()


def _rights_exif(rights: Rights) -> bytes | None:
    from PIL import Image

    exif = Image.Exif()
    if rights.artist:
        exif[_ARTIST] = rights.artist.encode()
    if rights.copyright:
        exif[_COPYRIGHT] = rights.copyright.encode()
    if not len(exif):
        return None
    block: bytes = exif.tobytes()
    return block.removeprefix(b"Exif\0\0")


def _exif_text(exif: bytes | None, tag: int) -> str:
    if not exif:
        return ""
    from PIL import Image

    block = Image.Exif()
    try:
        block.load(b"Exif\0\0" + exif)
        value: Any = block.get(tag, "")
    except Exception:  # EXIF is written by everything, in every way
        return ""
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    elif isinstance(value, str):
        # Pillow reads Latin-1, and most programs write UTF-8.
        with contextlib.suppress(UnicodeError):
            value = value.encode("latin-1").decode("utf-8")
    # EXIF's copyright holds photographer's and editor's, with a null between.
    return " ".join(str(value).replace("\0", " ").split())


def _parsed(packet: bytes) -> Any:
    """The packet's XML, or None for what is malformed or would define entities."""
    packet = packet.strip(b"\0 \r\n\t")
    # A zero within: UTF-16, where "<!" is written otherwise.
    if b"\0" in packet or b"<!" in packet.replace(b"<!--", b""):
        return None
    try:
        return ElementTree.fromstring(packet)
    except (ElementTree.ParseError, ValueError):
        return None


def _xmp_text(root: Any, space: str, name: str) -> str:
    """A property of any rdf:Description: an attribute, plain text, or the items of a list."""
    for description in root.iter(f"{{{_RDF}}}Description"):
        found = description.get(f"{{{space}}}{name}")
        if found:
            return str(found).strip()
        for element in description.findall(f"{{{space}}}{name}"):
            items = [item.text or "" for item in element.iter(f"{{{_RDF}}}li")]
            text = ", ".join(part.strip() for part in items or [element.text or ""] if part.strip())
            if text:
                return text
    return ""


def _clean(text: str) -> str:
    return escape(_NOT_XML.sub("", text))

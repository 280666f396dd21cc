"""Opens the pictures that visitors upload."""

from PIL import Image, ImageOps

from serving.errors import InputError

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "MPO")
MAX_RATIO = 100  # of the sides; models scale the shorter one up, and the other with it


def open_image(path: str | None, max_pixels: int) -> Image.Image:
    """Decode the picture at `path` as RGB, upright.

    Raises:
        InputError: there is none, it is too large, or it is not a picture.
    """
    if not path:
        raise InputError("Please choose a picture first.")
    try:
        with Image.open(path, formats=FORMATS) as image:
            if image.width * image.height > max_pixels:
                raise InputError(
                    f"This picture is too large: {max_pixels:,} pixels are the limit."
                )
            if max(image.size) > MAX_RATIO * min(image.size):
                raise InputError(
                    "This picture is too narrow: a side may be "
                    f"{MAX_RATIO} times as long as the other."
                )
            return ImageOps.exif_transpose(image).convert("RGB")
    except InputError:
        raise
    except Exception as error:  # decoders of broken files raise many kinds
        raise InputError(
            "This file cannot be read as a picture. Try a PNG or JPEG."
        ) from error


def size_within(image: Image.Image, side: int) -> tuple[int, int]:
    """Height and width of `image`, scaled so that neither is more than `side`."""
    scale = min(1, side / max(image.size))
    return max(1, round(image.height * scale)), max(1, round(image.width * scale))

"""Photographs of a truck from in front, from behind and from the side, 1920 x 1080, as a camera sends them.

Backgrounds are drawn once and copied; the vehicle is drawn from its own geometry (so the side view
shows the true axles), the plate set in with a mild perspective. Nothing depends on the machine: no
system font, no unseeded noise, and the JPEG encoder of Pillow's wheel works in integers.
"""

import io
import random
from collections.abc import Callable
from functools import cache

from PIL import Image, ImageDraw, ImageEnhance

from domain.events import CaptureRole, VehicleKind
from simulators.plate_image import render_plate
from simulators.plates import Plate
from simulators.randomness import stream
from simulators.vehicles import Vehicle

SIZE = (1920, 1080)
_HORIZON = 330
_ROAD = (96, 98, 100)
_TYRE = (24, 24, 26)
_CAB_COLOURS = ((178, 34, 34), (30, 78, 140), (226, 226, 220), (44, 120, 76), (204, 120, 30), (90, 96, 104))
_BODY_COLOURS = ((150, 40, 40), (64, 84, 116), (188, 188, 184), (110, 90, 70), (52, 92, 74))

Colour = tuple[int, int, int]


def photograph(vehicle: Vehicle, role: CaptureRole) -> bytes:
    """Return the vehicle's JPEG from a front, rear or side camera; the same vehicle, the same bytes."""
    rng = stream(vehicle.seed, "scene", vehicle.number, role.value)
    image = _background(rng.randrange(4), side=role is CaptureRole.SIDE).copy()
    _DRAWINGS[role](image, vehicle, rng)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=85, subsampling="4:2:0")
    return buffer.getvalue()


@cache
def _background(variant: int, *, side: bool) -> Image.Image:
    """Return sky, hills, verge and road; `variant` sets light and hills."""
    rng = stream(0, "background", variant)
    image = Image.new("RGB", SIZE, (112, 130, 96))
    draw = ImageDraw.Draw(image)
    for y in range(_HORIZON):
        share = y * 100 // _HORIZON
        draw.line((0, y, SIZE[0], y), fill=(120 + share, 160 + share * 6 // 10, 215 + share * 2 // 10))
    for x in range(-200, SIZE[0], 160):
        peak = _HORIZON - rng.randint(30, 150)
        draw.polygon(
            [(x - 200, _HORIZON), (x + 100, peak), (x + 420, _HORIZON)], fill=(88, 112 + x % 20, 100)
        )
    if side:
        draw.rectangle((0, 560, *SIZE), fill=_ROAD)
        draw.rectangle((0, 500, SIZE[0], 520), fill=(176, 178, 180))  # crash barrier
        for x in range(0, SIZE[0], 240):
            draw.rectangle((x, 500, x + 12, 560), fill=(140, 142, 144))
    else:
        draw.polygon([(700, _HORIZON), (1220, _HORIZON), (2600, 1080), (-700, 1080)], fill=_ROAD)
        for left, right in (((700, -700), (712, -640)), ((1208, 2540), (1220, 2600))):
            draw.polygon(
                [(left[0], _HORIZON), (right[0], _HORIZON), (right[1], 1080), (left[1], 1080)],
                fill=(226, 226, 220),
            )
    grain = Image.frombytes("L", (480, 270), rng.randbytes(480 * 270)).resize(SIZE, Image.Resampling.BILINEAR)
    image = Image.blend(image, grain.convert("RGB"), 0.06)
    return ImageEnhance.Brightness(image).enhance((1.0, 0.9, 1.06, 0.8)[variant])


def _front(image: Image.Image, vehicle: Vehicle, rng: random.Random) -> None:
    draw = ImageDraw.Draw(image)
    scale = rng.randint(400, 440)  # pixels a metre
    centre, ground = 960 + rng.randint(-120, 120), 1010 + rng.randint(-20, 20)
    left, right = centre - scale * 125 // 100, centre + scale * 125 // 100
    paint = rng.choice(_CAB_COLOURS)
    _shadow_and_wheels(draw, (left, right), ground, scale)
    draw.rounded_rectangle(
        (left, ground - scale * 235 // 100, right, ground - scale * 35 // 100), 40, fill=paint
    )
    windscreen = (left + 60, ground - scale * 225 // 100, right - 60, ground - scale * 140 // 100)
    draw.rounded_rectangle(windscreen, 24, fill=(34, 44, 54))
    draw.polygon(
        [
            (windscreen[0] + 60, windscreen[3]),
            (windscreen[0] + 200, windscreen[1]),
            (windscreen[0] + 290, windscreen[1]),
            (windscreen[0] + 150, windscreen[3]),
        ],
        fill=(62, 74, 86),
    )
    for row in range(5):
        y = ground - scale * 128 // 100 + row * 24
        draw.rectangle((left + 150, y, right - 150, y + 10), fill=_shade(paint, 50))
    draw.rectangle((left, ground - scale * 80 // 100, right, ground - scale * 35 // 100), fill=(58, 60, 64))
    for lamp in (left + 40, right - 190):
        draw.rounded_rectangle(
            (lamp, ground - scale * 76 // 100, lamp + 150, ground - scale * 55 // 100),
            16,
            fill=(236, 238, 228),
        )
    for mirror in (left - 70, right + 20):
        draw.rounded_rectangle(
            (mirror, windscreen[1] + 60, mirror + 50, windscreen[3]), 12, fill=_shade(paint, 60)
        )
    _mount_plate(image, vehicle.plates.vehicle, (centre, ground - scale * 56 // 100), scale, rng, rear=False)


def _rear(image: Image.Image, vehicle: Vehicle, rng: random.Random) -> None:
    draw = ImageDraw.Draw(image)
    scale = rng.randint(400, 440)
    centre, ground = 960 + rng.randint(-120, 120), 1010 + rng.randint(-20, 20)
    left, right = centre - scale * 125 // 100, centre + scale * 125 // 100
    body = rng.choice(_BODY_COLOURS)
    _shadow_and_wheels(draw, (left, right), ground, scale)
    floor = ground - scale * 105 // 100
    draw.rectangle((left, 40, right, floor), fill=body, outline=_shade(body, 55), width=8)
    draw.line((centre, 40, centre, floor), fill=_shade(body, 50), width=8)
    for x in (left + 160, centre - 100, centre + 100, right - 160):
        draw.line((x, 60, x, floor - 20), fill=_shade(body, 75), width=12)
    draw.rectangle((left + 20, floor, right - 20, floor + 26), fill=(44, 46, 48))
    for number, x in enumerate(range(left, right - 60, 80)):  # retro-reflective marking
        draw.rectangle((x, floor - 34, x + 60, floor - 16), fill=((196, 24, 24), (236, 236, 236))[number % 2])
    draw.rectangle((left + 20, floor + 26, right - 20, floor + scale * 58 // 100), fill=(52, 54, 58))
    for lamp in (left + 30, right - 190):
        draw.rectangle((lamp, floor + 40, lamp + 160, floor + 90), fill=(150, 18, 18))
        draw.rectangle((lamp + 104, floor + 40, lamp + 160, floor + 90), fill=(222, 128, 20))
    draw.rectangle(
        (left + 40, ground - scale * 45 // 100, right - 40, ground - scale * 36 // 100), fill=(70, 70, 72)
    )
    plate = vehicle.plates.trailer or vehicle.plates.vehicle
    _mount_plate(image, plate, (centre, floor + scale * 32 // 100), scale, rng, rear=True)


def _side(image: Image.Image, vehicle: Vehicle, rng: random.Random) -> None:
    draw = ImageDraw.Draw(image)
    wheelbase = sum(vehicle.spacings_mm)
    scale = min(150, 1720 * 1000 // vehicle.length_mm)  # pixels a metre

    def x_of(mm: int) -> int:
        return 960 + (mm - wheelbase // 2) * scale // 1000

    ground = 930
    paint, body = rng.choice(_CAB_COLOURS), rng.choice(_BODY_COLOURS)
    cab_back = x_of(900 if vehicle.spacings_mm[0] > 2500 else 2700)
    front, back = x_of(-1400), x_of(wheelbase + 1200)
    deck = ground - 125 * scale // 100
    top = deck - (150 + rng.randint(0, 90)) * scale // 100
    draw.rectangle((front, ground - 8, back, ground + 14), fill=(62, 63, 66))
    draw.rectangle((cab_back, deck, back, deck + 22 * scale // 100), fill=(48, 50, 54))
    draw.rectangle((cab_back + 20, top, back, deck), fill=body, outline=_shade(body, 55), width=5)
    for x in range(cab_back + 60, back, 70):
        draw.line((x, top, x, deck), fill=_shade(body, 78), width=5)
    cab_top = ground - 300 * scale // 100
    draw.rounded_rectangle((front, cab_top, cab_back, ground - 45 * scale // 100), 18, fill=paint)
    draw.rectangle(
        (front + 12, cab_top + 24, front + (cab_back - front) * 6 // 10, cab_top + 95 * scale // 100),
        fill=(36, 46, 56),
    )
    if vehicle.configuration.kind is VehicleKind.TRAIN:  # landing gear says "trailer" to the eye
        leg = x_of(sum(vehicle.spacings_mm[: vehicle.trailer_from - 1])) - 260 * scale // 100
        draw.rectangle((leg, deck, leg + 12, ground - 40 * scale // 100), fill=(40, 40, 42))
    radius = 52 * scale // 100
    for axle in range(len(vehicle.spacings_mm) + 1):
        x, y = x_of(sum(vehicle.spacings_mm[:axle])), ground - radius
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=_TYRE)
        hub = radius * (6 if vehicle.configuration.tyres[axle] == "s" else 5) // 10
        draw.ellipse((x - hub, y - hub, x + hub, y + hub), fill=(150, 152, 156))


def _shadow_and_wheels(draw: ImageDraw.ImageDraw, sides: tuple[int, int], ground: int, scale: int) -> None:
    left, right = sides
    draw.ellipse((left - 60, ground - 50, right + 60, ground + 40), fill=(52, 53, 56))
    width = scale * 32 // 100
    for x in (left + 20, right - 20 - width):
        draw.rounded_rectangle((x, ground - scale, x + width, ground), 30, fill=_TYRE)


def _mount_plate(
    image: Image.Image,
    plate: Plate,
    centre: tuple[int, int],
    scale: int,
    rng: random.Random,
    *,
    rear: bool,
) -> None:
    """Paste the plate at `scale` pixels a metre, seen slightly from the side and slightly turned."""
    flat = render_plate(plate, rear=rear)
    width, height = flat.width * scale // 1000, flat.height * scale // 1000
    margin = 12
    canvas = Image.new("RGB", (width + 2 * margin, height + 2 * margin))
    canvas.paste(flat.resize((width, height), Image.Resampling.LANCZOS), (margin, margin))
    yaw, turn = rng.randint(-5, 5), rng.randint(-5, 5)
    shrink_left, shrink_right = max(0, yaw), max(0, -yaw)
    corners = [
        (margin, margin + shrink_left + turn),
        (margin + width, margin + shrink_right - turn),
        (margin + width, margin + height - shrink_right - turn),
        (margin, margin + height - shrink_left + turn),
    ]
    source = [
        (margin, margin),
        (margin + width, margin),
        (margin + width, margin + height),
        (margin, margin + height),
    ]
    coefficients = _perspective(corners, source)
    seen = canvas.transform(canvas.size, Image.Transform.PERSPECTIVE, coefficients, Image.Resampling.BICUBIC)
    mask = Image.new("L", canvas.size)
    ImageDraw.Draw(mask).polygon(corners, fill=255)
    image.paste(seen, (centre[0] - canvas.width // 2, centre[1] - canvas.height // 2), mask)


def _perspective(to: list[tuple[int, int]], source: list[tuple[int, int]]) -> tuple[float, ...]:
    """Return the eight coefficients that map output points `to` onto `source` points (Gauss-Jordan).

    Plain sums and quotients in IEEE doubles, so every machine gets the same bits; a linear algebra
    library picks its kernels by processor.
    """
    rows: list[list[float]] = []
    for (x, y), (u, v) in zip(to, source, strict=True):
        rows.append([x, y, 1, 0, 0, 0, -u * x, -u * y, u])
        rows.append([0, 0, 0, x, y, 1, -v * x, -v * y, v])
    for column in range(8):
        pivot = max(range(column, 8), key=lambda row: abs(rows[row][column]))
        rows[column], rows[pivot] = rows[pivot], rows[column]
        head = rows[column][column]
        rows[column] = [value / head for value in rows[column]]
        for row in range(8):
            if row != column:
                factor = rows[row][column]
                rows[row] = [a - factor * b for a, b in zip(rows[row], rows[column], strict=True)]
    return tuple(row[8] for row in rows)


def _shade(colour: Colour, percent: int) -> Colour:
    red, green, blue = colour
    return (red * percent // 100, green * percent // 100, blue * percent // 100)


_DRAWINGS: dict[CaptureRole, Callable[[Image.Image, Vehicle, random.Random], None]] = {
    CaptureRole.FRONT: _front,
    CaptureRole.REAR: _rear,
    CaptureRole.SIDE: _side,
}

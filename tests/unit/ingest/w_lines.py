"""Lines of W records for tests: good ones of every shape, and the many ways they are spoilt."""

from random import Random


def good_line(random: Random) -> bytes:
    """Return a record whose figures are all in range; some at the edges, some padded with blanks."""
    count = random.choice((2, 2, 3, 4, 5, 5, 5, 6, 7, 9, 13, 16))
    weights = [random.choice((0, 1, 99_999, random.randint(500, 30_000))) for _ in range(count)]
    spacings = [random.choice((1, 1_968, random.randint(20, 600))) for _ in range(count - 1)]
    slack = 50 * (count + 1)
    total = max(
        0, min(999_999, sum(weights) + random.choice((0, 0, slack, -slack, random.randint(-100, 100))))
    )
    blank = random.random() < 0.1
    figures = [f"{weight:{'5' if blank else '05'}}" for weight in weights]
    gaps = [f"{spacing:{'4' if blank else '04'}}" for spacing in spacings] + [""]
    head = (
        f"W{random.choice(('17', '06', ' 1'))}{random.choice(('018115', 'A12345', '  1   '))}"
        f"{random.randint(0, 9)}{random.randint(1, 9)}{random.randint(1990, 2099)}{random.randint(1, 12):02}"
        f"{random.randint(1, 28):02}{random.randint(0, 23):02}{random.choice((' 9', '9 ', '13', '05', '09'))}"
        f"{random.choice(('   ', 'abc'))}{total:{'6' if blank else '06'}}{count:{'2' if blank else '02'}}"
    )
    return (head + "".join(weight + gap for weight, gap in zip(figures, gaps, strict=True))).encode()


def any_line(random: Random) -> bytes:
    """Return a line as a file may hold it: mostly good, else a mark of an hour, blank, spoilt or foreign."""
    line = good_line(random)
    chance = random.random()
    if chance < 0.5:
        return line
    if chance < 0.6:
        return line[:21] + random.choice((b" m", b"d ", b"M", b"D", b"md", b"mm", b"m" + line[22:]))
    if chance < 0.65:
        return random.choice((b"", b"   ", b"\t", b"\r", b"\x0b \x0c", b"\xc2\xa0", b"\x1a", b"\x00"))
    if chance < 0.7:
        return metric_line(random)
    spoilt = bytearray(line)
    for _ in range(random.choice((1, 1, 1, 2, 5))):
        _spoil(spoilt, random)
    return bytes(spoilt)


def metric_line(random: Random) -> bytes:
    """Return a record of the 2001 guide."""
    year, month = random.randint(0, 12), random.randint(1, 12)
    when = f"{year:02}{month:02}{random.randint(1, 28):02}{random.randint(0, 23):02}"
    return f"W1701811531{when}09   026205051046056014062065045015049".encode()


def _spoil(line: bytearray, random: Random) -> None:
    at = random.randrange(len(line) + 1)
    byte = random.choice((*b"0123456789   -+.xW\t\x00\x1f\x7f\x80\xff\x85", random.randrange(256)))
    if byte == ord("\n"):
        return
    how = random.randrange(5)
    if how == 0 and at < len(line):
        line[at] = byte
    elif how == 1:
        line.insert(at, byte)
    elif how == 2:
        del line[at : at + random.choice((1, 1, 4, 9, 60))]
    elif how == 3:
        line.extend(random.choice((b" ", b"   \r", b"\t", b"\xa0", b"0048", b" 1", b"\xe3\x80\x80")))
    elif at < len(line):
        line[10:34] = bytes(random.choice(b"0123456789 ") for _ in range(len(line[10:34])))

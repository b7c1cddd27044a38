# SPDX-License-Identifier: MIT
#
# mangle.py FILE FOLDER COUNT: damaged copies of the 64-bit ELF file FILE in FOLDER: cut at many
# places, and COUNT with bytes of the header, the segments, the dynamic section and the tables behind
# it replaced. The same ones each time.
import os
import random
import struct
import sys

with open(sys.argv[1], "rb") as file:
    data = file.read()
folder, count = sys.argv[2], int(sys.argv[3])
random.seed(7)


def put(name, content):
    path = os.path.join(folder, name)
    with open(path, "wb") as copy:
        copy.write(content)
    os.chmod(path, 0o755)


for size in (4, 5, 16, 51, 52, 63, 64, 65, 100, 120, 400, 700, 1000, 2500, 8192, len(data) // 2):
    put("cut%d" % size, data[:size])

(segments,) = struct.unpack_from("<Q", data, 32)
(segment_count,) = struct.unpack_from("<H", data, 56)
places = [(0, 64), (segments, 56 * segment_count), (0x300, 0x1200)]
for i in range(segment_count):
    kind, _, offset, _, _, size = struct.unpack_from("<IIQQQQ", data, segments + 56 * i)
    if kind == 2:  # PT_DYNAMIC
        places.append((offset, size))
numbers = (0, 1, 2**63, 2**64 - 1, 2**32 - 1, 2**31, len(data), len(data) - 1)
for i in range(count):
    copy = bytearray(data)
    for _ in range(random.randint(1, 6)):
        start, size = random.choice(places)
        at = start + random.randrange(size)
        if random.random() < 0.4:
            at &= ~7
            copy[at : at + 8] = struct.pack("<Q", random.choice(numbers))
        else:
            copy[at] = random.choice((0, 127, 255))
    copy[:4] = b"\x7fELF"
    put("mangled%d" % i, bytes(copy[: len(data)]))

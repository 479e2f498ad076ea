#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""embed.py OUT.c NAME FILE - the bytes of FILE as a C array, with their length and, for a page's
Content-Security-Policy, the base 64 of their SHA-256. The same bytes give the same output."""
import base64
import hashlib
import pathlib
import sys

out, name, path = sys.argv[1:4]
data = pathlib.Path(path).read_bytes()
digest = base64.b64encode(hashlib.sha256(data).digest()).decode()
rows = [", ".join(f"0x{b:02x}" for b in data[i:i + 16]) for i in range(0, len(data), 16)]
pathlib.Path(out).write_text(
    "/* SPDX-License-Identifier: Apache-2.0 */\n/* Generated; the source is in web/. */\n"
    '#include "race/page/assets.h"\n\n'
    f"const unsigned char pawl__asset_{name}[] = {{\n\t" + ",\n\t".join(rows) + "\n};\n"
    f"const size_t pawl__asset_{name}_len = sizeof(pawl__asset_{name});\n"
    f'const char pawl__asset_{name}_sha256[] = "{digest}";\n')

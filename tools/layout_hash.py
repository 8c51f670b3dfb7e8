#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Writes a header with a hash of every source that can shape the image. Rewrites only on change."""
import hashlib
import pathlib
import sys

root, out = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
digest = hashlib.sha256()
for path in sorted(root.glob("src/**/*.[hc]")) + sorted(root.glob("src/**/*.def")):
    if path.relative_to(root).parts[1] in ("cli", "shim", "chart"):
        continue
    digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
text = f"#define SWTIO_LAYOUT_HASH 0x{digest.hexdigest()[:16]}ull\n"
if not out.exists() or out.read_text() != text:
    out.write_text(text)

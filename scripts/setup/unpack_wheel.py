"""Unpacks the files of a wheel that match patterns, flat, into a folder.

usage: unpack_wheel.py FOLDER_OF_ONE_WHEEL TARGET PATTERN...
"""

import fnmatch
import pathlib
import sys
import zipfile


def main() -> None:
    source, target = (pathlib.Path(argument) for argument in sys.argv[1:3])
    patterns = sys.argv[3:]
    (wheel,) = source.glob("*.whl")
    target.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(wheel) as archive:
        wanted = [
            name
            for name in archive.namelist()
            if any(fnmatch.fnmatch(name, pattern) for pattern in patterns)
        ]
        if not wanted:
            sys.exit(f"{wheel.name} holds nothing like {' or '.join(patterns)}")
        for name in wanted:
            file = target / pathlib.PurePosixPath(name).name
            file.write_bytes(archive.read(name))
            file.chmod(0o755)


main()

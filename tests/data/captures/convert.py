#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Turn recordings (JSON lines) into the compact form that test_replay reads.

    convert.py RECORDING.jsonl... -o FOLDER

A recording in a folder K named N.jsonl becomes FOLDER/K-N.txt; README.md has the format.
"""
import argparse
import json
import pathlib
import re
import sys


def short(text):
    """Hexadecimal digits with trailing zero bytes counted, not written."""
    data = bytes.fromhex(text)
    kept = data.rstrip(b"\0")
    zeros = len(data) - len(kept)
    if zeros < 4:
        return data.hex()
    return f"{kept.hex()}+{zeros}"


def convert(lines):
    out = []
    for entry in lines:
        kind, way = entry["kind"], entry["dir"]
        if kind == "message" and way == "g2h":
            out.append(f"g {entry['conn']} {short(entry['bytes'])}")
        elif kind == "message":
            out.append(f"h {short(entry['bytes'])}")
        elif kind == "packet" and way == "g2h":
            out.append(f"p {entry['relid']} {entry['ring_off']} {entry['trailer']} {short(entry['bytes'])}")
        elif kind == "note" and "skipped_pfns" in entry:
            out.append(f"s {entry['gpadl']:x} {entry['skipped_pfns']}")
        elif kind == "hypercall-status":
            refused = re.fullmatch(r"post message, type 1, status (\w+)", entry["what"])
            if refused:
                # the status belongs to the message before it
                assert out[-1].startswith("g ")
                out[-1] = f"r {refused[1]} {out[-1][2:]}"
    return out


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recordings", nargs="+", type=pathlib.Path)
    parser.add_argument("-o", "--output", type=pathlib.Path, required=True)
    arguments = parser.parse_args()
    for recording in arguments.recordings:
        with recording.open() as file:
            text = convert(json.loads(line) for line in file)
        target = arguments.output / f"{recording.parent.name}-{recording.stem}.txt"
        target.write_text("\n".join(text) + "\n")
        print(f"{target}: {len(text)} lines", file=sys.stderr)


if __name__ == "__main__":
    main()

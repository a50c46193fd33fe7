#!/usr/bin/env bash
# common-expression-language 0.10.0 (PyPI; Python bindings of the Rust crate cel): size() of a string counts UTF-8 bytes.
#
# Guess:     size("ä") is 1. The CEL specification says that the length of a string is its number of Unicode code
#            points (https://github.com/google/cel-spec/blob/master/doc/langdef.md, "size").
# Seen:      It is 2; "€" is 3; the size of a list or map is as expected. The method form, "ä".size(), does the same.
# Why it is met: rules such as size(item.summary) <= 40 come from systems that follow the specification. Here they
#            refuse German or Japanese titles that are short enough, and nobody notices with English titles.
# Fails when: any of these values changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check common-expression-language==0.10.0
"$folder/venv/bin/python" - <<'PYTHON'
import cel

expected = {'size("a")': 1, 'size("ä")': 2, 'size("€")': 3, '"ä".size()': 2, 'size(["ä", "€"])': 2, 'size({"ä": 1})': 1}
seen = {source: cel.compile(source).execute(cel.Context()) for source in expected}
for source, value in seen.items():
    print(f"{source:20} {value}")
assert seen == expected, seen
PYTHON
echo "size() of a text counts bytes in common-expression-language 0.10.0."

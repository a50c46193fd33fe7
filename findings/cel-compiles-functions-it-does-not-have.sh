#!/usr/bin/env bash
# common-expression-language 0.10.0 (PyPI): an expression may name any function when it is compiled.
#
# Guess:     compile() refuses what cannot run, as CEL checkers do: an unknown function, or bool(), which the
#            standard definitions list (https://github.com/google/cel-spec/blob/master/doc/langdef.md).
# Seen:      compile() accepts bool("true"), a call of an unknown function, and getHours with a time zone;
#            each raises RuntimeError, but only when it is executed. getHours() without a zone runs.
# Why it is met: an admin's rule is compiled when it is saved and executed when a ticket arrives, so a rule with a
#            typo can be saved and never fires. Whoever embeds the library has to keep a list of what it can run.
# Fails when: one of these is refused by compile(), or can be executed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check common-expression-language==0.10.0
"$folder/venv/bin/python" - <<'PYTHON'
import cel

for source in ('bool("true")', "nobody_knows_this(1)", 'timestamp("2026-03-16T09:00:00Z").getHours("Europe/Berlin")'):
    program = cel.compile(source)  # no error
    try:
        value = program.execute(cel.Context())
    except Exception as error:
        print(f"{source}: compiled, then {type(error).__name__}: {str(error)[:70]}")
    else:
        raise SystemExit(f"{source} gave {value!r}")
PYTHON
echo "common-expression-language 0.10.0 compiles functions that it does not have."

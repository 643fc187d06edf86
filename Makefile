# The project's commands. `check` is all that must hold before a change lands; CI runs it.
PYTHON ?= .venv/bin/python

.PHONY: check test evaluate serve bench measure

check:     ; $(PYTHON) -m tests.check
test:      ; $(PYTHON) -m pytest
evaluate:  ; $(PYTHON) -m ui.cli eval tests/questions/alaska_summit.jsonl
serve:     ; $(PYTHON) -m ui.cli chat
bench:     ; $(PYTHON) -m tests.bench
measure:   ; $(PYTHON) -m tests.measure all

"""The README's table of settings says what the code does."""

from __future__ import annotations

from pathlib import Path

import platformdirs
import pytest
from pydantic import SecretStr
from typer.testing import CliRunner

from bot import Bot, Settings
from bot.settings import PREFIX, RISKS
from index.errors import SettingsError
from ui.cli import app, settings_table

README = Path(__file__).parent.parent / "README.md"


def readme_rows() -> list[list[str]]:
    """Return the cells of the README's table of settings, heading and rule left out."""
    text = README.read_text("utf-8")
    table = text.split("<!-- settings -->")[1].split("<!-- /settings -->")[0]
    lines = [line for line in table.strip().splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[2:]]


def test_the_readme_names_every_setting_and_its_variable() -> None:
    rows = readme_rows()
    assert [row[0] for row in rows] == [f"`{name}`" for name in Settings.model_fields]
    assert [row[1] for row in rows] == [f"`{PREFIX}{n.upper()}`" for n in Settings.model_fields]
    assert all(len(row) == 5 and row[4] for row in rows)


def test_the_readme_gives_the_defaults_that_the_code_has() -> None:
    defaults = Settings.read()
    data = platformdirs.user_data_path("askarticle")
    for name, _, _, shown, _ in readme_rows():
        value = getattr(defaults, name.strip("`"))
        if value is None:
            assert shown == "–", name
        elif isinstance(value, Path):
            assert shown == f"`{value.relative_to(data)}` in the user's data folder", name
        else:
            assert shown == f"`{value}`", name


def test_the_readme_names_options_that_exist() -> None:
    help_text = CliRunner().invoke(app, ["chat", "--help"], env={"COLUMNS": "200"}).output
    options = [row[2] for row in readme_rows() if row[2] != "–"]
    assert options
    for option in options:
        assert option.strip("`") in help_text


def test_the_readme_holds_the_table_that_the_command_prints() -> None:
    result = CliRunner().invoke(app, ["settings", "--markdown"])
    assert result.exit_code == 0
    assert result.stdout.strip() == settings_table()
    assert settings_table() in README.read_text("utf-8")


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_has_a_meaning_and_a_variable(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    field = Settings.model_fields[name]
    assert field.description
    assert field.description.endswith(".")
    default = field.get_default(call_default_factory=True)
    value = {float: "0.75", int: "1234"}.get(type(default), "ERROR")
    value = {"risk": "0.25", "unsupported": "drop"}.get(name, value)
    monkeypatch.setenv(f"{PREFIX}{name.upper()}", value)
    read = getattr(Settings.read(), name)
    assert (read.get_secret_value() if isinstance(read, SecretStr) else str(read)) == value


def test_a_misspelt_variable_is_told_of(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("ASKARTICLE_TRESHOLD", "0.5")
    Settings.read()
    assert "ASKARTICLE_TRESHOLD names no setting" in caplog.text


def test_a_tolerated_risk_sets_the_threshold(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [Settings.read(risk=risk).refuses_below for risk in (0.3, 0.1, 0.05, 0.0)]
    assert found == sorted(found)
    assert found[0] < found[1] <= found[2] < found[3] == 1.0
    assert [risk for _, risk in RISKS] == sorted((risk for _, risk in RISKS), reverse=True)
    assert Settings.read(risk=0.5).refuses_below == 0.0  # half of all have no answer
    assert Settings.read().refuses_below == Settings.read().threshold
    assert Settings.read(risk=0.1).changed(risk=None).refuses_below == Settings.read().threshold
    monkeypatch.setenv("ASKARTICLE_RISK", "0.1")
    assert Settings.read().refuses_below == found[1]
    assert Settings.read(threshold=0.0).refuses_below == 0.0  # what is said last holds
    assert Settings.read().changed(threshold=0.4).refuses_below == 0.4
    assert Settings.read(threshold=0.4).changed(risk=0.3).refuses_below == found[0]
    with pytest.raises(SettingsError, match="Setting risk is 1"):
        Settings.read(risk=1)


def test_settings_given_whole_are_not_filled_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    whole = Settings(store=tmp_path)
    monkeypatch.setenv("ASKARTICLE_MODEL", "openai:other")
    monkeypatch.setenv("ASKARTICLE_THRESHOLD", "0.9")
    changed = whole.changed(threshold=0.5)
    assert (changed.model, changed.threshold, changed.store) == (None, 0.5, tmp_path)
    assert whole.changed(api_key=SecretStr("k")).threshold == whole.threshold
    with Bot.open(settings=whole, articles=[], reranker="bundled") as bot:
        assert (bot.settings.model, bot.settings.threshold) == (None, whole.threshold)
    with pytest.raises(SettingsError, match="Setting threshold is 2"):
        whole.changed(threshold=2)
    with pytest.raises(SettingsError, match="no setting 'treshold'"):
        whole.changed(treshold=0.5)
